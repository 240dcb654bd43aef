// SPDX-License-Identifier: MIT
// Which CPUs a thread may run on.
#pragma once

#include <pthread.h>

#include <vector>

namespace tern {

// The numbers of the CPUs that the calling thread may run on, in order; none where the system does
// not say.
std::vector<int> ThreadAffinity();

// Keeps a thread on the given CPUs from now on. Error(kUnsupported) where the system refuses, as
// it does when the process may use none of them.
void BindThread(pthread_t thread, const std::vector<int>& cpus);

}  // namespace tern
