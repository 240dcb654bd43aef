// SPDX-License-Identifier: MIT
// write_tern_checkpoints DIR: writes the checkpoints of tern_checkpoint.h below DIR.
#include <cstdio>
#include <exception>

#include "tern/backends/cpu/cpu_backend.h"
#include "tests/golden/tern_checkpoint.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: write_tern_checkpoints DIR\n");
    return 2;
  }
  try {
    tern::Context ctx(tern::ContextOptions{});
    ctx.AddBackend(std::make_unique<tern::CpuBackend>());
    for (const tern::TernCheckpoint& which : tern::kTernCheckpoints) {
      tern::WriteTernCheckpoint(ctx, which, std::string(argv[1]) + "/" + which.name);
    }
  } catch (const std::exception& error) {
    std::fprintf(stderr, "write_tern_checkpoints: %s\n", error.what());
    return 1;
  }
  return 0;
}
