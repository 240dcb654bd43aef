// SPDX-License-Identifier: MIT
// FunctionRef<R(Args...)>: a non-owning reference to a callable, two words, never allocates. The
// callable must outlive the call that it is passed to; do not store one.
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

namespace tern {

template <typename Signature>
class FunctionRef;

template <typename R, typename... Args>
class FunctionRef<R(Args...)> {
 public:
  template <typename F,
            typename = std::enable_if_t<!std::is_same_v<std::remove_cvref_t<F>, FunctionRef>>>
  FunctionRef(F&& callable)  // NOLINT(google-explicit-constructor): made for implicit use
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(callable)))),
        call_([](void* object, Args... args) -> R {
          return (*static_cast<std::remove_reference_t<F>*>(object))(std::forward<Args>(args)...);
        }) {}

  R operator()(Args... args) const { return call_(object_, std::forward<Args>(args)...); }

 private:
  void* object_;
  R (*call_)(void*, Args...);
};

// What long work calls several times a second. What it throws ends the work, which then leaves
// nothing behind.
using Poll = FunctionRef<void()>;

}  // namespace tern
