// Http sends one request at a time and passes on the response body as it arrives. Owns a libcurl
// handle, which keeps the connection open between requests. Single-threaded.
// Does not follow redirects, so that an API key is sent only to the configured server.
#pragma once

#include <functional>
#include <optional>
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
  int status = 0;
  Headers headers;
  std::string body;      ///< the body of a response whose status is not 200, up to 64 KiB
  bool stopped = false;  ///< on_bytes returned false, or the body of an error response is too long
  std::optional<Failure> failure;  ///< why there is no whole response, unless it was stopped
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
  std::optional<Failure> wait(Transfer& transfer, const HttpRequest& request);

  const Limit limit_;
  void* easy_ = nullptr;
  void* multi_ = nullptr;
};

}  // namespace moonlet::executor
