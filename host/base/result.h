// Result<T>: a value or an Error. No function of host/ throws across its public interface; its
// errors are in the return type. An Error is written for the person who reads it: the problem, the
// place, and the next step. Plain values, no thread affinity.
#pragma once

#include <cassert>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace moonlet {

/// The closed set of error kinds that presets, the envelope and the journal know by name.
enum class ErrorKind {
  kInvalid,    ///< the request is wrong: argument, file, id, schema
  kDenied,     ///< not granted, or outside the permitted files
  kLimit,      ///< Lua time or memory; the message says which
  kTimeout,    ///< a deadline passed
  kCancelled,  ///< the user or a scope ended it
  kBudget,     ///< a spending limit was reached
  kQuota,      ///< the provider refuses until a time
  kQuorum,     ///< fewer successes than needed
  kRejected,   ///< a person said no
  kParked,     ///< it waits for a person; the run ends until there is an answer
  kLost,       ///< the outcome can no longer be known
  kFailed,     ///< it ran, or should have run, and failed
};

/// The lower-case name of a kind, as Lua and JSON show it ("invalid", "denied", …).
std::string_view to_string(ErrorKind kind);

struct Error {
  ErrorKind kind = ErrorKind::kFailed;
  std::string message;  ///< the problem, in one line
  std::string hint;     ///< the next step; may be empty
  std::string at;       ///< the place: a path, file:line, or argument; may be empty

  /// An Error from an errno value: "cannot <doing> <at>: <strerror> (ENAME)". Hints are added for
  /// the common ones (ENOSPC, EROFS, EACCES, EMFILE, ENOENT …). Errors of the system are kFailed,
  /// but EACCES, EPERM, EROFS and EXDEV are kDenied and ENOENT, ENOTDIR, EISDIR, ELOOP and
  /// ENAMETOOLONG are kInvalid.
  static Error from_errno(int number, std::string_view doing, std::string at = {});
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & { return (assert(ok()), std::get<0>(state_)); }
  const T& value() const& { return (assert(ok()), std::get<0>(state_)); }
  T&& value() && { return (assert(ok()), std::get<0>(std::move(state_))); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& { return (assert(!ok()), std::get<1>(state_)); }
  Error&& error() && { return (assert(!ok()), std::get<1>(std::move(state_))); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)), ok_(false) {}  // NOLINT: implicit

  bool ok() const { return ok_; }
  explicit operator bool() const { return ok_; }
  const Error& error() const& { return (assert(!ok_), error_); }
  Error&& error() && { return (assert(!ok_), std::move(error_)); }

 private:
  Error error_;
  bool ok_ = true;
};

}  // namespace moonlet
