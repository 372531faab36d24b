// Report prints the executor's output: lines with markers for people and main agents, or JSON
// lines. Only Report prints markers, so text of the model cannot forge them. Warnings and errors go
// to stderr, and in JSON mode also to stdout. Single-threaded.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "host/base/result.h"
#include "host/executor/http/turn.h"
#include "host/executor/tools/tool.h"
#include "host/telemetry/secret/redact.h"

namespace moonlet::executor {

class Report {
 public:
  /// Borrows `redactor`.
  Report(bool json, const Redactor& redactor) : json_(json), redactor_(redactor) {}

  void session(const std::string& id, const std::string& model);
  /// Prints a message of the model: progress lines with their marker, other lines as text.
  /// Omits a question or an obstacle at the end, because question() and blocked() print it.
  /// If `may_end` is false, the turn continues, and a question or an obstacle is printed as text.
  void message(std::string_view text, bool may_end = true);
  void progress(std::string_view text);
  void tool_begins(const std::string& name, const std::string& detail);
  void tool_ended(const std::string& name, const std::string& detail, const ToolResult& result);
  void usage(const Usage& usage);
  void retry(const Failure& failure, int attempt, std::int64_t pause_ms);
  void warning(const std::string& text);

  void question(const std::string& text, const std::vector<std::string>& options);
  void blocked(const std::string& text);
  /// Prints the changed files, a list of {path, change}.
  void files(const nlohmann::json& files);
  void complete(int iterations);
  /// Prints the last JSON line, with the model's last message or the error.
  void done(bool ok, const std::string& text);
  void error(const Error& error, const char* what = "failed", const Failure* failure = nullptr);

 private:
  void line(const std::string& text);
  void marked(const char* marker, const std::string& text);
  void event(nlohmann::json value);

  bool json_;
  const Redactor& redactor_;
};

}  // namespace moonlet::executor
