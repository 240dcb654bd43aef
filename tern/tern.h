// SPDX-License-Identifier: MIT
// The public front of Tern: load or train a ternary language model, tokenize, generate, score.
//
//   tern::Context ctx({.threads = 4});
//   ctx.AddBackend(std::make_unique<tern::CpuBackend>());
//   tern::LoadedModel loaded = tern::LoadModel(ctx, "models/tern-stories");
//
// Everything that a user can cause is thrown as tern::Error. The other headers are installed too;
// these are the ones to begin with.
#pragma once

#include "tern/backends/cpu/cpu_backend.h"
#include "tern/base/cpu_topology.h"
#include "tern/base/error.h"
#include "tern/base/settings.h"
#include "tern/core/context.h"
#include "tern/core/tensor.h"
#include "tern/linalg/cholesky.h"
#include "tern/linalg/hadamard.h"
#include "tern/linalg/qr.h"
#include "tern/linalg/random_orthogonal.h"
#include "tern/linalg/randomized_svd.h"
#include "tern/linalg/solve.h"
#include "tern/linalg/svd.h"
#include "tern/models/checkpoint.h"
#include "tern/models/model.h"
#include "tern/runtime/embed.h"
#include "tern/runtime/generate.h"
#include "tern/runtime/multiple_choice.h"
#include "tern/runtime/perplexity.h"
#include "tern/runtime/session.h"
#include "tern/text/chat_template.h"
#include "tern/text/tokenizer.h"
#include "tern/text/tokenizer_trainer.h"
#include "tern/train/trainer.h"
