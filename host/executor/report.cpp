#include "host/executor/report.h"

#include <algorithm>
#include <cstdio>

#include "host/base/json.h"
#include "host/base/text.h"

namespace moonlet::executor {

namespace {

using nlohmann::json;
constexpr std::string_view kProgress = "[PROGRESS]";
constexpr std::string_view kEnding[] = {"[QUESTION]", "[BLOCKED]"};
constexpr std::string_view kFacts[] = {"[QUESTION]", "[BLOCKED]", "[FILES_MODIFIED]",
                                       "[CODEX_COMPLETE]", "[Tool:"};

bool starts_with(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

bool is_one_of(std::string_view line, const std::string_view* begin, const std::string_view* end) {
  const auto first = line.find_first_not_of(" \t");
  if (first == std::string_view::npos) return false;
  return std::any_of(
      begin, end, [&](std::string_view marker) { return starts_with(line.substr(first), marker); });
}

/// The message up to the question or obstacle that it ends with, which is printed on its own.
std::string_view without_ending(std::string_view message) {
  std::size_t cut = message.size();
  for (std::size_t at = 0; at < message.size();) {
    const auto end = std::min(message.find('\n', at), message.size());
    if (is_one_of(message.substr(at, end - at), std::begin(kEnding), std::end(kEnding))) cut = at;
    at = end + 1;
  }
  return message.substr(0, cut);
}

std::string one_line(std::string_view text) { return printable(text, 2000); }

}  // namespace

void Report::line(const std::string& text) {
  const std::string safe = strip_controls(redactor_.apply(text)) + "\n";
  std::fwrite(safe.data(), 1, safe.size(), stdout);
  std::fflush(stdout);
}

void Report::event(json value) {
  if (!json_) return;
  for (auto& item : value) {
    if (item.is_string()) item = redactor_.apply(item.get_ref<const std::string&>());
  }
  const std::string text = json_text(value) + "\n";
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void Report::session(const std::string& id, const std::string& model) {
  event({{"type", "session"}, {"id", id}, {"model", model}});
}

void Report::message(std::string_view text) {
  event({{"type", "text"}, {"text", std::string(text)}});
  const std::string_view shown = json_ ? text : without_ending(text);
  for (std::size_t at = 0; at < shown.size();) {
    const auto end = std::min(shown.find('\n', at), shown.size());
    const std::string_view row = shown.substr(at, end - at);
    at = end + 1;
    if (starts_with(row, kProgress)) {
      auto rest = row.substr(kProgress.size());
      if (!rest.empty() && rest[0] == ' ') rest.remove_prefix(1);
      progress(rest);
    } else if (!json_ && !row.empty()) {
      // A marker that states a fact is the executor's own; in the model's words it is indented.
      line((is_one_of(row, std::begin(kFacts), std::end(kFacts)) ? "  " : "") + std::string(row));
    }
  }
}

void Report::progress(std::string_view text) {
  event({{"type", "progress"}, {"text", std::string(text)}});
  if (!json_) line("[PROGRESS] " + one_line(text));
}

void Report::tool_begins(const std::string& name, const std::string& detail) {
  event({{"type", "tool"}, {"name", name}, {"detail", detail}, {"status", "running"}});
  if (!json_) line("[Tool: " + printable(name, 60) + "] " + detail);
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
  event({{"type", "usage"},
         {"input_tokens", usage.input},
         {"cached_input_tokens", usage.cached},
         {"output_tokens", usage.output},
         {"reasoning_output_tokens", usage.reasoning},
         {"total_tokens", usage.input + usage.output}});
}

void Report::retry(const Failure& failure, int attempt, std::int64_t pause_ms) {
  json value = {{"type", "retry"},
                {"message", failure.message},
                {"attempt", attempt},
                {"delay_ms", pause_ms}};
  if (failure.status != 0) value["status"] = failure.status;
  event(std::move(value));
  std::fprintf(stderr, "moonlet-executor: %s; next try in %.1f s\n",
               redactor_.apply(failure.message).c_str(), static_cast<double>(pause_ms) / 1000);
}

void Report::warning(const std::string& text) {
  event({{"type", "warning"}, {"message", text}});
  std::fprintf(stderr, "moonlet-executor: warning: %s\n", redactor_.apply(text).c_str());
}

void Report::question(const std::string& text, const std::vector<std::string>& options) {
  event({{"type", "question"}, {"text", text}, {"options", options}});
  if (json_) return;
  line("[QUESTION] " + text);
  if (options.empty()) return;
  line("Options:");
  for (std::size_t i = 0; i < options.size(); ++i) {
    line(std::to_string(i + 1) + ". " + one_line(options[i]));
  }
}

void Report::blocked(const std::string& text) {
  event({{"type", "blocked"}, {"text", text}});
  if (!json_) line("[BLOCKED] " + text);
}

void Report::files(const std::vector<Change>& changes) {
  json list = json::array();
  for (const Change& change : changes) {
    event({{"type", "file"}, {"path", change.path}, {"change", change.what}});
    list.push_back({{"path", change.path}, {"change", change.what}});
  }
  event({{"type", "files_modified"}, {"files", std::move(list)}});
  if (json_) return;
  line("[FILES_MODIFIED]");
  if (changes.empty()) line("(none)");
  for (const Change& change : changes) {
    line("- " + printable(change.path, 4096) + " (" + change.what + ")");
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
  const std::string message = redactor_.apply(error.message);
  std::fprintf(stderr, "moonlet-executor: error: %s\n", message.c_str());
  if (!error.hint.empty()) std::fprintf(stderr, "  %s\n", redactor_.apply(error.hint).c_str());
}

}  // namespace moonlet::executor
