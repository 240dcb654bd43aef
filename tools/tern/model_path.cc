// SPDX-License-Identifier: MIT
#include "tools/tern/model_path.h"

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <vector>

#include "tern/base/error.h"
#include "tern/train/run_directory.h"

namespace tern::cli {
namespace {

namespace fs = std::filesystem;

bool Exists(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// Folders that may hold the models that come with Tern, nearest first.
std::vector<fs::path> ModelFolders() {
  std::vector<fs::path> folders;
  std::error_code ignored;
  // The build tree is BUILD/tools/tern/tern, in or beside the sources.
  constexpr int kLevelsToSourceTree = 4;
  fs::path above = fs::read_symlink("/proc/self/exe", ignored).parent_path();
  if (!above.empty()) {
    folders.push_back(above.parent_path() / "share/tern/models");
    for (int i = 0; i < kLevelsToSourceTree; ++i) {
      folders.push_back(above / "models");
      above = above.parent_path();
    }
  }
  folders.emplace_back(TERN_INSTALL_DATA_DIR "/models");
  return folders;
}

std::string ShippedModels() {
  std::vector<std::string> names;
  for (const fs::path& folder : ModelFolders()) {
    std::error_code ignored;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
      if (Exists(entry.path() / "config.json")) names.push_back(entry.path().filename().string());
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  return list;
}

// The model of a training run's directory: the finished one, else that of the last checkpoint;
// otherwise the directory itself.
fs::path ModelOfRun(const fs::path& directory) {
  if (Exists(directory / "config.json") || !Exists(directory / "train.json")) return directory;
  if (Exists(directory / "model/config.json")) return directory / "model";
  return FindRunCheckpoint(directory.string()) + kModelDirectory;
}

}  // namespace

std::string ResolveModel(const std::string& model) {
  if (Exists(model)) return ModelOfRun(model).string();
  if (!model.empty() && model.find('/') == std::string::npos) {
    for (const fs::path& folder : ModelFolders()) {
      if (Exists(folder / model / "config.json")) return (folder / model).string();
    }
  }
  const std::string shipped = ShippedModels();
  Fail(ErrorKind::kIo, "{}: no such directory{}", model.empty() ? "MODEL" : model,
       shipped.empty() ? ", and no model came with this program"
                       : ", and no model of that name comes with Tern; these do: " + shipped);
}

std::string ResolveTokenizer(const std::string& model) {
  const fs::path path = ResolveModel(model);
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return path.string();
  if (!Exists(path / "tokenizer.json")) {
    Fail(ErrorKind::kIo,
         "{}: the model comes without tokenizer.json; give a tokenizer.json instead",
         path.string());
  }
  return (path / "tokenizer.json").string();
}

}  // namespace tern::cli
