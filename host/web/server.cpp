#include "host/web/server.h"

#include <microhttpd.h>
#include <sys/select.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

#include "host/base/clock.h"
#include "host/base/json.h"

namespace moonlet::web {

namespace {

/// If more than kMost connections have no response yet, closes the oldest of them, so that idle
/// connections cannot block new ones. kMostAccepted is small enough for select().
constexpr std::size_t kMost = 96;
constexpr unsigned kMostAccepted = 512;
constexpr unsigned kIdleSeconds = 20;
constexpr std::size_t kHeadBytes = 24 * 1024;
constexpr std::size_t kBlockBytes = 64 * 1024;
constexpr std::size_t kMostBody = 64 * 1024;
/// A request must arrive completely within this time.
constexpr std::int64_t kSlowMs = 10'000;
constexpr std::int64_t kTickMs = 30, kRestMs = 500;

std::int64_t now_ms() { return system_clock().monotonic_ms(); }

using Answer = decltype(MHD_YES);

/// These headers let a browser execute, load and frame only files of this server.
constexpr std::pair<const char*, const char*> kHeaders[] = {
    {"Content-Security-Policy",
     "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
     "img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Permissions-Policy", "camera=(), microphone=(), geolocation=()"},
};

}  // namespace

struct Server::Connection {
  MHD_Connection* handle = nullptr;
  std::int64_t since_ms = 0;
  bool is_answered = false;
};

struct Server::Exchange {
  Server* server = nullptr;
  MHD_Connection* handle = nullptr;
  Request request;
  std::unique_ptr<Body> body;
  std::string text;
  bool is_gone = false;  ///< the client has closed its connection
};

const std::string& Request::arg(const std::string& name) const {
  static const std::string none;
  const auto found = args.find(name);
  return found == args.end() ? none : found->second;
}

Reply Reply::refusal(int status, const std::string& message) {
  Reply reply;
  reply.status = status;
  reply.text = json_text({{"error", {{"message", message}}}});
  return reply;
}

struct Callbacks {
  static Server::Connection* connection_of(MHD_Connection* handle) {
    const auto* info = MHD_get_connection_info(handle, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info == nullptr ? nullptr : static_cast<Server::Connection*>(info->socket_context);
  }

  static void on_connection(void* self, MHD_Connection* handle, void** context,
                            MHD_ConnectionNotificationCode code) {
    auto& list = static_cast<Server*>(self)->connections_;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
      auto* connection = new Server::Connection{handle, now_ms(), false};
      *context = connection;
      list.push_back(connection);
      return;
    }
    auto* connection = static_cast<Server::Connection*>(*context);
    list.erase(std::remove(list.begin(), list.end(), connection), list.end());
    delete connection;
  }

  static void on_completed(void* self, MHD_Connection* handle, void** context,
                           MHD_RequestTerminationCode) {
    auto* exchange = static_cast<Server::Exchange*>(*context);
    *context = nullptr;
    auto& waiting = static_cast<Server*>(self)->waiting_;
    waiting.erase(std::remove(waiting.begin(), waiting.end(), exchange), waiting.end());
    delete exchange;
    if (auto* connection = connection_of(handle)) {
      connection->since_ms = now_ms();
      connection->is_answered = false;
    }
  }

  // Keep percent-escapes, so that Access can check how the path was spelled.
  static std::size_t keep_escapes(void*, MHD_Connection*, char* text) { return std::strlen(text); }

  static Answer add_header(void* head, MHD_ValueKind, const char* key, const char* value) {
    static_cast<RequestHead*>(head)->headers.emplace_back(key, value == nullptr ? "" : value);
    return MHD_YES;
  }

  static Answer add_arg(void* args, MHD_ValueKind, const char* key, const char* value) {
    auto name = unescape(key), text = unescape(value == nullptr ? "" : value);
    if (name && text) {
      static_cast<std::map<std::string, std::string>*>(args)->emplace(*name, *text);
    }
    return MHD_YES;
  }

  static ssize_t read_body(void* cls, std::uint64_t, char* into, std::size_t size) {
    auto* exchange = static_cast<Server::Exchange*>(cls);
    if (exchange->is_gone) return MHD_CONTENT_READER_END_WITH_ERROR;
    const long count = exchange->body->read(into, size);
    if (count == Body::kEnd) return MHD_CONTENT_READER_END_OF_STREAM;
    if (count == 0) {
      MHD_suspend_connection(exchange->handle);
      exchange->server->waiting_.push_back(exchange);
    }
    return count;
  }

  static Answer send(Server::Exchange& exchange, Reply reply) {
    MHD_Response* response = nullptr;
    if (reply.body) {
      exchange.body = std::move(reply.body);
      response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, kBlockBytes, read_body,
                                                   &exchange, nullptr);
    } else if (reply.file) {
      response =
          MHD_create_response_from_fd_at_offset64(reply.size, reply.file.release(), reply.offset);
    } else {
      exchange.text = std::move(reply.text);
      response = MHD_create_response_from_buffer(exchange.text.size(), exchange.text.data(),
                                                 MHD_RESPMEM_PERSISTENT);
    }
    if (response == nullptr) return MHD_NO;
    for (const auto& [name, value] : kHeaders) MHD_add_response_header(response, name, value);
    MHD_add_response_header(response, "Content-Type", reply.type.c_str());
    bool is_cached = false;
    for (const auto& [name, value] : reply.headers) {
      is_cached = is_cached || name == "Cache-Control";
      MHD_add_response_header(response, name.c_str(), value.c_str());
    }
    if (!is_cached) MHD_add_response_header(response, "Cache-Control", "no-store");
    if (auto* connection = connection_of(exchange.handle)) connection->is_answered = true;
    const auto answer =
        MHD_queue_response(exchange.handle, static_cast<unsigned>(reply.status), response);
    MHD_destroy_response(response);
    return answer;
  }

  static Answer on_request(void* self, MHD_Connection* handle, const char* path, const char* method,
                           const char*, const char* upload, std::size_t* upload_size,
                           void** context) {
    auto& server = *static_cast<Server*>(self);
    if (*context == nullptr) {
      auto* exchange = new Server::Exchange{&server, handle, {}, nullptr, {}, false};
      *context = exchange;
      RequestHead& head = exchange->request.head;
      head.method = method;
      head.path = path;
      MHD_get_connection_values(handle, MHD_HEADER_KIND, add_header, &head);
      if (const auto refusal = server.access_.check(head)) {
        return send(*exchange, Reply::refusal(refusal->status, refusal->message));
      }
      MHD_get_connection_values(handle, MHD_GET_ARGUMENT_KIND, add_arg, &exchange->request.args);
      return MHD_YES;
    }
    auto& exchange = *static_cast<Server::Exchange*>(*context);
    if (*upload_size > 0) {
      // libmicrohttpd cannot queue a response during an upload, so close the connection instead.
      if (exchange.request.body.size() + *upload_size > kMostBody) return MHD_NO;
      exchange.request.body.append(upload, *upload_size);
      *upload_size = 0;
      return MHD_YES;
    }
    return send(exchange, server.handler_(exchange.request));
  }
};

Server::Server(const Access& access, Handler handler)
    : access_(access), handler_(std::move(handler)) {}

Result<std::unique_ptr<Server>> Server::start(Fd socket, const Access& access, Handler handler) {
  std::unique_ptr<Server> server(new Server(access, std::move(handler)));
  server->daemon_ = MHD_start_daemon(
      MHD_ALLOW_SUSPEND_RESUME, 0, nullptr, nullptr, Callbacks::on_request, server.get(),
      MHD_OPTION_LISTEN_SOCKET, socket.get(), MHD_OPTION_CONNECTION_LIMIT, kMostAccepted,
      MHD_OPTION_CONNECTION_TIMEOUT, kIdleSeconds, MHD_OPTION_CONNECTION_MEMORY_LIMIT, kHeadBytes,
      MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_UNESCAPE_CALLBACK, Callbacks::keep_escapes,
      nullptr, MHD_OPTION_NOTIFY_COMPLETED, Callbacks::on_completed, server.get(),
      MHD_OPTION_NOTIFY_CONNECTION, Callbacks::on_connection, server.get(), MHD_OPTION_END);
  if (server->daemon_ == nullptr) {
    return Error{ErrorKind::kFailed, "the HTTP server could not be started", "check `ulimit -n`"};
  }
  (void)socket.release();  // MHD_stop_daemon() closes the socket
  return server;
}

Server::~Server() {
  if (daemon_ == nullptr) return;
  for (Exchange* exchange : waiting_) MHD_resume_connection(exchange->handle);
  waiting_.clear();
  MHD_stop_daemon(daemon_);
}

namespace {

/// Returns true if the client hung up, which libmicrohttpd does not notice while suspended.
bool has_closed(MHD_Connection* handle) {
  const auto* info = MHD_get_connection_info(handle, MHD_CONNECTION_INFO_CONNECTION_FD);
  char byte = 0;
  return info != nullptr && ::recv(info->connect_fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

}  // namespace

bool Server::resume_ready() {
  bool has_resumed = false;
  for (std::size_t i = 0; i < waiting_.size();) {
    Exchange* exchange = waiting_[i];
    exchange->is_gone = has_closed(exchange->handle);
    if (!exchange->is_gone && !exchange->body->is_ready()) {
      ++i;
      continue;
    }
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(i));
    MHD_resume_connection(exchange->handle);
    has_resumed = true;
  }
  return has_resumed;
}

void Server::end_slow() {
  const std::int64_t now = now_ms();
  const auto idle = static_cast<std::size_t>(
      std::count_if(connections_.begin(), connections_.end(),
                    [](const Connection* connection) { return !connection->is_answered; }));
  std::size_t excess = idle > kMost ? idle - kMost : 0;
  if (excess == 0 && now - looked_ms_ < 1000) return;
  looked_ms_ = now;
  for (const Connection* connection : connections_) {
    if (connection->is_answered || (excess == 0 && now - connection->since_ms < kSlowMs)) continue;
    if (excess > 0) --excess;
    const auto* info =
        MHD_get_connection_info(connection->handle, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (info != nullptr) ::shutdown(info->connect_fd, SHUT_RDWR);
  }
}

void Server::run(const volatile std::sig_atomic_t& stop, const std::function<void()>& tick) {
  std::int64_t ticked_ms = 0;
  bool has_resumed = false;
  while (stop == 0) {
    fd_set read, write, error;
    FD_ZERO(&read);
    FD_ZERO(&write);
    FD_ZERO(&error);
    int most = -1;
    if (MHD_get_fdset2(daemon_, &read, &write, &error, &most, FD_SETSIZE) != MHD_YES) return;
    for (const Exchange* exchange : waiting_) {
      const int fd = exchange->body->fd();
      if (fd < 0 || fd >= static_cast<int>(FD_SETSIZE)) continue;
      FD_SET(fd, &read);
      most = std::max(most, fd);
    }
    MHD_UNSIGNED_LONG_LONG limit = 0;
    std::int64_t wait_ms = waiting_.empty() ? kRestMs : kTickMs;
    if (MHD_get_timeout(daemon_, &limit) == MHD_YES) {
      wait_ms = std::min(wait_ms, static_cast<std::int64_t>(limit));
    }
    // libmicrohttpd does not wake select() for a connection that was resumed, so do not wait.
    if (has_resumed) wait_ms = 0;
    timeval timeout{wait_ms / 1000, static_cast<suseconds_t>(wait_ms % 1000 * 1000)};
    if (::select(most + 1, &read, &write, &error, &timeout) < 0) {
      FD_ZERO(&read);
      FD_ZERO(&write);
      FD_ZERO(&error);
    }
    MHD_run_from_select(daemon_, &read, &write, &error);
    if (now_ms() - ticked_ms >= kTickMs) {
      ticked_ms = now_ms();
      tick();
    }
    has_resumed = resume_ready();
    end_slow();
  }
}

}  // namespace moonlet::web
