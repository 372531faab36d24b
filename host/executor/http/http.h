// Http sends one request at a time and passes on the answer as it arrives.
// Owns a libcurl handle, which keeps its connection between requests. Single-threaded.
// Follows no redirect, so that a key reaches only its own server.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/clock.h"
#include "host/base/result.h"
#include "host/executor/http/failure.h"

namespace moonlet::executor {

struct HttpRequest {
  std::string url;
  std::vector<std::string> headers;  ///< "Name: value"
  std::string body;
  std::int64_t idle_ms = 0;      ///< the longest time without a byte
  std::int64_t deadline_ms = 0;  ///< on the monotonic clock; 0: none
  /// Receives a piece of the body of an answer with status 200. Returning false aborts.
  std::function<bool(std::string_view)> on_bytes;
};

struct HttpReply {
  enum class End {
    kWhole,        ///< the answer is complete
    kStopped,      ///< on_bytes returned false, or the body of an error is too long
    kBroken,       ///< the connection failed or broke; `error` has the reason
    kIdle,         ///< no byte came for idle_ms
    kDeadline,     ///< the deadline passed
    kInterrupted,  ///< a signal asked for the end
  };
  End end = End::kBroken;
  int status = 0;
  Headers headers;
  std::string body;  ///< the body of a status other than 200, up to 64 KiB
  /// Returns true if the server answered completely or up to an abort by on_bytes.
  bool answered() const { return end == End::kWhole || end == End::kStopped; }
  std::string error;
  bool reached = false;  ///< the request was sent
};

/// Returns true if the URL's host is this machine: localhost, 127.0.0.0/8 or ::1.
Result<bool> is_loopback(const std::string& url);

class Http {
 public:
  /// Borrows `clock`. A byte at `stop_fd` ends a request.
  Http(const Clock& clock, int stop_fd);
  ~Http();
  Http(const Http&) = delete;
  Http& operator=(const Http&) = delete;

  HttpReply post(const HttpRequest& request);

 private:
  struct Transfer;
  HttpReply::End wait(Transfer& transfer, const HttpRequest& request);

  const Clock& clock_;
  int stop_fd_;
  void* easy_ = nullptr;
  void* multi_ = nullptr;
};

}  // namespace moonlet::executor
