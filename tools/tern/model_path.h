// SPDX-License-Identifier: MIT
// Where a model is that the command line names: a path, or the name of a model that comes with
// Tern.
#pragma once

#include <string>

namespace tern::cli {

// `model` itself when something stands at that path; for the directory of a training run the model
// that it made, or its last checkpoint's. Otherwise a model of that name: of the
// installation that this program belongs to (share/tern/models beside its folder), of the source
// tree that it was built in (models/ in a folder above it), or of where `cmake --install` was told
// to put it. Error(kIo) that says what was looked for.
std::string ResolveModel(const std::string& model);

// The tokenizer.json of a model; `model` may also be that file.
std::string ResolveTokenizer(const std::string& model);

}  // namespace tern::cli
