// Http sends one request at a time and passes on the response body as it arrives. Owns a libcurl
// handle, which keeps the connection open between requests. Single-threaded.
// Does not follow redirects, so that an API key is sent only to the configured server.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "host/base/result.h"
#include "host/executor/http/failure.h"
#include "host/executor/http/limit.h"

namespace moonlet::executor {

struct HttpRequest {
  std::string url;
  std::vector<std::string> headers;  ///< "Name: value"
  std::string body;
  std::int64_t idle_ms = 300'000;  ///< the longest time without a received byte
  /// Receives each piece of the body if the status is 200. Returns false to abort the request.
  std::function<bool(std::string_view)> on_bytes;
};

struct HttpReply {
  enum class End {
    kWhole,        ///< the response is complete
    kStopped,      ///< on_bytes returned false, or the body of an error response is too long
    kBroken,       ///< the connection failed or broke; `error` has the reason
    kIdle,         ///< no byte arrived for idle_ms
    kDeadline,     ///< the limit's deadline passed
    kInterrupted,  ///< a signal asked the process to end
  };
  End end = End::kBroken;
  int status = 0;
  Headers headers;
  std::string body;  ///< the body of a response whose status is not 200, up to 64 KiB
  /// Returns true if the response is complete, or if this process has stopped reading it.
  bool answered() const { return end == End::kWhole || end == End::kStopped; }
  std::string error;
  bool reached = false;  ///< at least a part of the request was sent
};

/// Returns true if the URL's host is this machine: localhost, 127.0.0.0/8 or ::1.
Result<bool> is_loopback(const std::string& url);

class Http {
 public:
  /// A request ends at the limit.
  explicit Http(const Limit& limit);
  ~Http();
  Http(const Http&) = delete;
  Http& operator=(const Http&) = delete;

  HttpReply post(const HttpRequest& request);

 private:
  struct Transfer;
  HttpReply::End wait(Transfer& transfer, const HttpRequest& request);

  const Limit limit_;
  void* easy_ = nullptr;
  void* multi_ = nullptr;
};

}  // namespace moonlet::executor
