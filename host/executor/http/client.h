// Client asks a model for a turn through the Responses API or Chat Completions. It retries
// temporary failures until the wall-clock limit. It prints nothing and does not store the
// conversation. Single-threaded.
#pragma once

#include <functional>
#include <set>
#include <string>
#include <variant>

#include "host/executor/http/http.h"
#include "host/executor/http/turn.h"

namespace moonlet::executor {

enum class Api { kUnknown, kResponses, kChat };
const char* to_string(Api api);
Api api_from(std::string_view name);

struct ClientOptions {
  std::string base_url;
  std::string key;
  Api api = Api::kUnknown;  ///< if kUnknown, the first request determines the API
  std::int64_t idle_ms = 300'000;
};

/// ClientEvents are the client's messages for the user. `retry` is called before each retry.
struct ClientEvents {
  std::function<void(const Failure&, int attempt, std::int64_t pause_ms)> retry;
  std::function<void(const std::string&)> warning;
};

class Client {
 public:
  Client(const Limit& limit, ClientOptions options, ClientEvents events);

  std::variant<Turn, Failure> ask(const Request& request);
  /// Returns the API that the server supports; kUnknown before the first answer.
  Api api() const { return options_.api; }

 private:
  std::variant<Turn, Failure> ask_once(const Request& request, Api api);
  std::variant<Turn, Failure> ask_either(const Request& request);
  bool drop_field(const Failure& failure, Api api);
  bool pause(std::int64_t ms);

  const Limit limit_;
  Http http_;
  ClientOptions options_;
  ClientEvents events_;
  std::set<std::string> dropped_;  // optional fields that this server refuses
};

}  // namespace moonlet::executor
