#include "host/executor/report.h"

#include <cstdio>
#include <sstream>

#include "host/base/json.h"
#include "host/base/text.h"
#include "host/executor/http/items.h"
#include "host/executor/message.h"
#include "host/executor/session.h"

namespace moonlet::executor {

namespace {

using nlohmann::json;
std::string one_line(std::string_view text) { return printable(text, 2000); }

void complain(const char* prefix, const std::string& text) {
  std::fprintf(stderr, "%s%s\n", prefix, one_line(text).c_str());
}

}  // namespace

void Report::line(const std::string& text) {
  const std::string safe = redactor_.apply(strip_controls(text)) + "\n";
  std::fwrite(safe.data(), 1, safe.size(), stdout);
  std::fflush(stdout);
}

/// Prints the marker and the text. Escapes markers in the text's other lines.
void Report::marked(const char* marker, const std::string& text) {
  std::istringstream rows(strip_controls(text));
  std::string row, all;
  for (bool first = true; std::getline(rows, row) || first; first = false) {
    all += first ? marker + row : "\n" + as_text(row);
    row.clear();
  }
  line(all);
}

void Report::event(json value) {
  if (!json_) return;
  redact(value, redactor_);
  const std::string text = json_text(value) + "\n";
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void Report::session(const std::string& id, const std::string& model) {
  event({{"type", "session"}, {"id", id}, {"model", model}});
}

void Report::message(std::string_view text, bool may_end) {
  event({{"type", "text"}, {"text", std::string(text)}});
  for (const Message::Row& row : read_message(text, may_end).rows) {
    if (row.progress) {
      progress(row.text);
    } else if (!json_) {
      line(row.text);
    }
  }
}

void Report::progress(std::string_view text) {
  event({{"type", "progress"}, {"text", std::string(text)}});
  if (!json_) line("[PROGRESS] " + one_line(text));
}

void Report::tool_begins(const std::string& name, const std::string& detail) {
  event({{"type", "tool"}, {"name", name}, {"detail", detail}, {"status", "running"}});
  if (!json_) line("[Tool: " + printable(name, 60) + "]" + (detail.empty() ? "" : " " + detail));
}

void Report::tool_ended(const std::string& name, const std::string& detail,
                        const ToolResult& result) {
  const char* status = result.status == ToolResult::Status::kOk       ? "ok"
                       : result.status == ToolResult::Status::kDenied ? "denied"
                                                                      : "failed";
  json value = {{"type", "tool"}, {"name", name}, {"detail", detail}, {"status", status}};
  if (result.exit_code >= 0) value["exit_code"] = result.exit_code;
  event(std::move(value));
}

void Report::usage(const Usage& usage) {
  json value = to_json(usage);
  value["type"] = "usage";
  value["total_tokens"] = usage.input + usage.output;
  event(std::move(value));
}

void Report::retry(const Failure& failure, int attempt, std::int64_t pause_ms) {
  json value = {{"type", "retry"},
                {"message", failure.message},
                {"attempt", attempt},
                {"delay_ms", pause_ms}};
  if (failure.status != 0) value["status"] = failure.status;
  event(std::move(value));
  std::fprintf(stderr, "moonlet-executor: %s; next try in %.1f s\n",
               one_line(redactor_.apply(failure.message)).c_str(),
               static_cast<double>(pause_ms) / 1000);
}

void Report::warning(const std::string& text) {
  event({{"type", "warning"}, {"message", text}});
  complain("moonlet-executor: warning: ", redactor_.apply(text));
}

void Report::question(const std::string& text, const std::vector<std::string>& options) {
  event({{"type", "question"}, {"text", text}, {"options", options}});
  if (json_) return;
  marked("[QUESTION] ", text);
  if (options.empty()) return;
  line("Options:");
  for (std::size_t i = 0; i < options.size(); ++i) {
    line(std::to_string(i + 1) + ". " + one_line(options[i]));
  }
}

void Report::blocked(const std::string& text) {
  event({{"type", "blocked"}, {"text", text}});
  if (!json_) marked("[BLOCKED] ", text);
}

void Report::files(const json& files) {
  for (const json& file : files) {
    event({{"type", "file"}, {"path", text_of(file, "path")}, {"change", text_of(file, "change")}});
  }
  event({{"type", "files_modified"}, {"files", files}});
  if (json_) return;
  line("[FILES_MODIFIED]");
  if (files.empty()) line("(none)");
  for (const json& file : files) {
    line("- " + printable(text_of(file, "path"), 4096) + " (" + text_of(file, "change") + ")");
  }
}

void Report::complete(int iterations) {
  event({{"type", "complete"}, {"iterations", iterations}});
  if (!json_) {
    line("[CODEX_COMPLETE] Task completed in " + std::to_string(iterations) +
         (iterations == 1 ? " iteration" : " iterations"));
  }
}

void Report::done(bool ok, const std::string& text) {
  event({{"type", "done"}, {"status", ok ? "ok" : "failed"}, {"text", text}});
}

void Report::error(const Error& error, const char* what, const Failure* failure) {
  json value = {{"type", "error"}, {"message", error.message}, {"class", what}};
  if (!error.hint.empty()) value["hint"] = error.hint;
  if (failure != nullptr && failure->status != 0) value["status"] = failure->status;
  if (failure != nullptr && failure->retry_after_ms >= 0) {
    value["retry_after_ms"] = failure->retry_after_ms;
  }
  event(std::move(value));
  complain("moonlet-executor: error: ", redactor_.apply(error.message));
  if (!error.hint.empty()) complain("  ", redactor_.apply(error.hint));
}

}  // namespace moonlet::executor
