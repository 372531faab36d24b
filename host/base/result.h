// Result<T> is a value or an Error. No function of host/ throws across its public interface.
// An Error states the problem, the place and the next step for its reader.
// Both types are plain values for any thread.
#pragma once

#include <cassert>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

/// MOONLET_API exports a symbol from moonlet's shared library. All other symbols are hidden.
#ifndef MOONLET_API
#define MOONLET_API __attribute__((visibility("default")))
#endif

namespace moonlet {

/// ErrorKind is the closed set of errors that presets, the envelope and the journal know.
enum class ErrorKind {
  kInvalid,    ///< the request is wrong: argument, file, id, schema
  kDenied,     ///< not granted, or outside the permitted files
  kLimit,      ///< Lua time or memory; the message says which
  kTimeout,    ///< a deadline passed
  kCancelled,  ///< ended by the user or a scope
  kBudget,     ///< a spending limit was reached
  kQuota,      ///< the provider refuses until a time
  kQuorum,     ///< fewer successes than needed
  kRejected,   ///< a person said no
  kParked,     ///< waits for a person; the run ends until the answer
  kLost,       ///< the outcome can no longer be known
  kFailed,     ///< ran, or should have run, and failed
};

/// Returns the lower-case name of a kind, as in Lua and JSON ("invalid", "denied", …).
MOONLET_API std::string_view to_string(ErrorKind kind);

struct Error {
  ErrorKind kind = ErrorKind::kFailed;
  std::string message;  ///< the problem, on one line
  std::string hint;     ///< the next step; may be empty
  std::string at;       ///< the place: a path, file:line, or argument; may be empty

  /// Makes an Error from an errno: "cannot <doing> <at>: <strerror> (ENAME)".
  /// Adds hints for common errors, such as ENOSPC, EROFS, EACCES, EMFILE and ENOENT.
  /// EACCES, EPERM, EROFS and EXDEV are kDenied. Other errors of the system are kFailed.
  /// ENOENT, ENOTDIR, EISDIR, ELOOP and ENAMETOOLONG are kInvalid.
  MOONLET_API static Error from_errno(int number, std::string_view doing, std::string at = {});
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
