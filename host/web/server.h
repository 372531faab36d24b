// Server answers HTTP requests on one thread, with libmicrohttpd.
// Owns the connections, their limits and deadlines. Access checks each request first.
#pragma once

#include <csignal>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "host/base/fd.h"
#include "host/base/result.h"
#include "host/web/access.h"

struct MHD_Connection;
struct MHD_Daemon;

namespace moonlet::web {

struct Request {
  RequestHead head;
  std::map<std::string, std::string> args;  ///< the decoded arguments of the query
  std::string body;

  /// Returns an argument of the query, or "" if it is missing.
  const std::string& arg(const std::string& name) const;
};

/// Body is a response body that is produced in pieces.
class Body {
 public:
  virtual ~Body() = default;
  static constexpr long kEnd = -1;
  /// Reads up to `size` bytes. Returns their number, 0 if none are available yet, or kEnd.
  virtual long read(char* into, std::size_t size) = 0;
  /// Returns true if read() would return bytes or kEnd.
  virtual bool is_ready() = 0;
  /// Returns a descriptor that becomes readable, or -1 if the server must poll is_ready().
  virtual int fd() const { return -1; }
};

struct Reply {
  int status = 200;
  std::string type = "application/json";
  std::string text;
  std::unique_ptr<Body> body;  ///< if set, the server sends this instead of `text`
  Fd file;                     ///< if set, `size` bytes from `offset` are sent instead of `text`
  std::uint64_t offset = 0, size = 0;
  std::vector<std::pair<std::string, std::string>> headers;

  /// Makes an error response with the body {"error": {"message"}}.
  static Reply refusal(int status, const std::string& message);
};

class Server {
 public:
  using Handler = std::function<Reply(const Request&)>;

  /// Starts a server on a listening socket, which it owns from now on. Borrows `access`.
  static Result<std::unique_ptr<Server>> start(Fd socket, const Access& access, Handler handler);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Serves until `stop` is not 0. Calls `tick` about every 30 ms while a response waits for more
  /// of its body, otherwise about twice a second.
  void run(const volatile std::sig_atomic_t& stop, const std::function<void()>& tick);

  /// State of a connection and of a request, for the callbacks of libmicrohttpd.
  struct Connection;
  struct Exchange;

 private:
  friend struct Callbacks;
  Server(const Access& access, Handler handler);
  bool resume_ready();
  void end_slow();

  const Access& access_;
  Handler handler_;
  MHD_Daemon* daemon_ = nullptr;
  std::vector<Connection*> connections_;
  std::vector<Exchange*> waiting_;  ///< suspended requests, whose body has no more bytes yet
  std::int64_t looked_ms_ = 0;
};

}  // namespace moonlet::web
