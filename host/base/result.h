// Result<T> is a value or an Error. The public functions of host/ do not throw exceptions.
// An Error tells the user what is wrong, where it is, and what to do next.
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

/// ErrorKind lists all kinds of errors. Presets, --json and the journal use the same kinds.
enum class ErrorKind {
  kInvalid,    ///< the request is wrong: an argument, file, id or schema
  kDenied,     ///< permission was not granted, or a file is outside the permitted ones
  kLimit,      ///< Lua ran too long or used too much memory; the message says which
  kTimeout,    ///< a deadline passed
  kCancelled,  ///< the user or the surrounding scope in Lua has cancelled the work
  kBudget,     ///< a spending limit was reached
  kQuota,      ///< the provider refuses requests until a certain time
  kQuorum,     ///< fewer steps succeeded than needed
  kRejected,   ///< a person has rejected the work
  kParked,     ///< the run waits for a person; the process exits, and a resume continues the run
  kLost,       ///< the outcome can no longer be known
  kFailed,     ///< a program or step failed, or could not be started
};

/// Returns the lower-case name of a kind, as in Lua and JSON ("invalid", "denied", …).
MOONLET_API std::string_view to_string(ErrorKind kind);

struct Error {
  ErrorKind kind = ErrorKind::kFailed;
  std::string message;  ///< the problem, on one line
  std::string hint;     ///< advice on what to do next; may be empty
  std::string at;       ///< where: a path, file:line, or argument; may be empty

  /// Makes an Error from an errno: "cannot <doing> <at>: <strerror> (ENAME)".
  /// Adds hints for common errors, such as ENOSPC, EROFS, EACCES, EMFILE and ENOENT.
  /// The kind is kDenied for EACCES, EPERM, EROFS and EXDEV; kInvalid for ENOENT, ENOTDIR, EISDIR,
  /// ELOOP and ENAMETOOLONG; otherwise kFailed.
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
