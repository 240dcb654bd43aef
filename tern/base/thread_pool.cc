// SPDX-License-Identifier: MIT
// One loop runs at a time. Its parts are cut beforehand, one for each thread, and claimed from
// one counter, so that a thread which the system schedules late costs no more than its own part.
// A claim succeeds only while its loop runs, and the loop ends only when every claimed part has
// ended: what describes the loop is therefore stable whenever somebody reads it.
//
// Waiting threads spin for a fraction of a millisecond, because the loops of a forward pass follow
// each other closely and to be woken takes tens of microseconds, and then sleep on a condition
// variable.
#include "tern/base/thread_pool.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "tern/base/affinity.h"
#include "tern/base/check.h"
#include "tern/base/error.h"

namespace tern {
namespace {

// Longer than what is done by one thread between two loops of a forward pass or two tokens.
constexpr std::chrono::microseconds kSpinTime(200);
constexpr int kPausesAtOnce = 16;  // between two looks at the clock: 0.2 to 1 microseconds

inline void SpinPause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Whether done() becomes true within the time.
template <typename Done>
bool SpinUntil(const Done& done, std::chrono::microseconds time) {
  if (done()) return true;
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
    for (int i = 0; i < kPausesAtOnce; ++i) {
      if (done()) return true;
      SpinPause();
    }
  }
  return done();
}

using Body = FunctionRef<void(int64_t, int64_t)>;

}  // namespace

struct ThreadPool::State {
  // Written by the loop's caller before it publishes the parts, read by those who claimed one.
  const Body* body = nullptr;
  int64_t n = 0;
  int64_t grain = 1;
  int64_t units = 0;  // ceil(n / grain)
  int parts = 0;

  std::atomic<bool> busy{false};
  std::atomic<bool> failed{false};
  std::exception_ptr exception;  // written by the one who set failed

  alignas(64) std::atomic<int> unclaimed{0};
  alignas(64) std::atomic<int> unfinished{0};
  alignas(64) std::atomic<uint32_t> loops{0};  // counts published loops; what workers wait for

  std::atomic<int> sleeping_workers{0};
  std::atomic<bool> caller_sleeps{false};
  std::mutex mutex;
  std::condition_variable worker_wakeup;
  std::condition_variable caller_wakeup;
  bool stop = false;  // guarded by mutex

  std::chrono::microseconds spin_time{0};
  std::vector<std::thread> workers;
  std::thread::id owner = std::this_thread::get_id();
  std::vector<int> owner_cpus;  // to be given back; none if the pool is not pinned

  void RunPart(int part);
  void RunParts();
  void WakeWorkers(int count);
  bool WaitForLoop(uint32_t* seen);
  void WaitForWorkers();
  void WorkerMain();
  void StopWorkers();
  void Stop();
  void Start(int threads, const std::vector<int>& cpus);
};

void ThreadPool::State::RunPart(int part) {
  if (failed.load(std::memory_order_relaxed)) return;
  const int64_t quotient = units / parts;
  const int64_t remainder = units % parts;
  const int64_t first = part * quotient + std::min<int64_t>(part, remainder);
  const int64_t last = first + quotient + (part < remainder ? 1 : 0);
  const int64_t end = last == units ? n : last * grain;
  try {
    (*body)(first * grain, end);
  } catch (...) {
    if (!failed.exchange(true, std::memory_order_relaxed)) exception = std::current_exception();
  }
}

// Claims and runs parts until none is left.
void ThreadPool::State::RunParts() {
  int left = unclaimed.load(std::memory_order_acquire);
  while (left > 0) {
    if (!unclaimed.compare_exchange_weak(left, left - 1, std::memory_order_acq_rel,
                                         std::memory_order_acquire)) {
      continue;
    }
    RunPart(left - 1);
    // Sequentially consistent with WaitForWorkers: either the caller sees zero, or we see it sleep.
    if (unfinished.fetch_sub(1) == 1 && caller_sleeps.load()) {
      const std::lock_guard<std::mutex> lock(mutex);
      caller_wakeup.notify_one();
    }
    left = unclaimed.load(std::memory_order_acquire);
  }
}

void ThreadPool::State::WakeWorkers(int count) {
  loops.fetch_add(1);
  const int asleep = sleeping_workers.load();
  if (asleep == 0) return;
  const std::lock_guard<std::mutex> lock(mutex);
  if (count >= asleep) {
    worker_wakeup.notify_all();
  } else {
    for (int i = 0; i < count; ++i) worker_wakeup.notify_one();
  }
}

// Returns false when the pool is being destroyed.
bool ThreadPool::State::WaitForLoop(uint32_t* seen) {
  if (SpinUntil([&] { return loops.load(std::memory_order_acquire) != *seen; }, spin_time)) {
    *seen = loops.load(std::memory_order_acquire);
    return true;
  }
  std::unique_lock<std::mutex> lock(mutex);
  sleeping_workers.fetch_add(1);
  worker_wakeup.wait(lock, [&] { return stop || loops.load() != *seen; });
  sleeping_workers.fetch_sub(1);
  *seen = loops.load();
  return !stop;
}

void ThreadPool::State::WaitForWorkers() {
  if (SpinUntil([&] { return unfinished.load(std::memory_order_acquire) == 0; }, spin_time)) return;
  std::unique_lock<std::mutex> lock(mutex);
  caller_sleeps.store(true);
  caller_wakeup.wait(lock, [&] { return unfinished.load() == 0; });
  caller_sleeps.store(false);
}

void ThreadPool::State::WorkerMain() {
  uint32_t seen = 0;
  while (WaitForLoop(&seen)) RunParts();
}

void ThreadPool::State::StopWorkers() {
  {
    const std::lock_guard<std::mutex> lock(mutex);
    stop = true;
    loops.fetch_add(1);  // also ends the spinning of those who do not sleep
  }
  worker_wakeup.notify_all();
  for (std::thread& worker : workers) worker.join();
}

void ThreadPool::State::Start(int threads, const std::vector<int>& cpus) {
  if (!cpus.empty()) {
    owner_cpus = ThreadAffinity();
    BindThread(::pthread_self(), {cpus[0]});
  }
  workers.reserve(static_cast<size_t>(threads - 1));
  try {
    for (int i = 1; i < threads; ++i) {
      workers.emplace_back([this] { WorkerMain(); });
      if (!cpus.empty()) {
        BindThread(workers.back().native_handle(), {cpus[static_cast<size_t>(i)]});
      }
    }
  } catch (const std::system_error& error) {
    Fail(ErrorKind::kOutOfMemory, "cannot start thread {} of {}: {}; ask for fewer threads",
         workers.size() + 2, threads, error.code().message());
  }
}

// The threads end, and the owner may run where it ran before.
void ThreadPool::State::Stop() {
  StopWorkers();
  if (owner_cpus.empty() || std::this_thread::get_id() != owner) return;
  try {
    BindThread(::pthread_self(), owner_cpus);
  } catch (const Error&) {
    // The process has lost those CPUs meanwhile: the system chooses for itself.
  }
}

ThreadPool::ThreadPool(int threads, const std::vector<int>& cpus)
    : state_(std::make_unique<State>()) {
  TERN_CHECK(threads >= 1);
  if (!cpus.empty() && cpus.size() < static_cast<size_t>(threads)) {
    Fail(ErrorKind::kInvalidArgument,
         "{} threads cannot be pinned to {} CPUs; ask for no more threads than cores", threads,
         cpus.size());
  }
  // More threads than CPUs: whoever spins keeps the one that it waits for from running.
  const bool oversubscribed =
      cpus.empty() && static_cast<unsigned>(threads) > std::thread::hardware_concurrency();
  state_->spin_time = oversubscribed ? std::chrono::microseconds(0) : kSpinTime;
  try {
    state_->Start(threads, cpus);
  } catch (...) {
    state_->Stop();
    throw;
  }
}

ThreadPool::~ThreadPool() { state_->Stop(); }

int ThreadPool::threads() const { return static_cast<int>(state_->workers.size()) + 1; }

void ThreadPool::ParallelFor(int64_t n, int64_t grain, Body body) {
  TERN_CHECK(grain >= 1);
  if (n <= 0) return;
  State& state = *state_;
  if (n <= grain || state.workers.empty() || state.busy.exchange(true, std::memory_order_acquire)) {
    body(0, n);
    return;
  }
  state.body = &body;
  state.n = n;
  state.grain = grain;
  state.units = n / grain + (n % grain != 0 ? 1 : 0);
  state.parts = static_cast<int>(std::min<int64_t>(state.units, threads()));
  state.failed.store(false, std::memory_order_relaxed);
  state.unfinished.store(state.parts, std::memory_order_relaxed);
  state.unclaimed.store(state.parts, std::memory_order_release);
  state.WakeWorkers(state.parts - 1);
  state.RunParts();
  state.WaitForWorkers();
  const std::exception_ptr exception = std::exchange(state.exception, nullptr);
  state.busy.store(false, std::memory_order_release);
  if (exception) std::rethrow_exception(exception);
}

}  // namespace tern
