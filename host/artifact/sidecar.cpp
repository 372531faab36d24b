#include "host/artifact/sidecar.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "host/artifact/digest.h"
#include "host/artifact/text.h"
#include "host/base/clock.h"
#include "host/base/id.h"

namespace moonlet {

namespace {

enum class Form { kText, kJson, kLog };

struct KnownFile {
  std::string_view name;
  Form form;
  std::size_t cap;
};

constexpr std::size_t kMiB = 1 << 20;
constexpr KnownFile kFiles[] = {
    {"prompt.md", Form::kText, 16 * kMiB},     {"input-manifest.md", Form::kText, 4 * kMiB},
    {"output.md", Form::kText, 16 * kMiB},     {"findings.md", Form::kText, 16 * kMiB},
    {"decision.md", Form::kText, 4 * kMiB},    {"model.md", Form::kText, kMiB},
    {"findings.json", Form::kJson, 16 * kMiB}, {"model.json", Form::kJson, 4 * kMiB},
    {"exit.json", Form::kJson, kMiB},          {"events.jsonl", Form::kLog, 64 * kMiB},
    {"stdout.log", Form::kLog, 64 * kMiB},     {"stderr.log", Form::kLog, 64 * kMiB},
};

const KnownFile* known(std::string_view name) {
  const auto* found = std::find_if(std::begin(kFiles), std::end(kFiles),
                                   [&](const KnownFile& file) { return file.name == name; });
  return found != std::end(kFiles) ? found : nullptr;
}

Error unknown_file(std::string_view name) {
  Error error;
  error.kind = ErrorKind::kInvalid;
  error.message = "'" + printable(name, 80) + "' is no such file of a sidecar";
  error.hint = "other files belong into out/";
  return error;
}

// Letters, digits, "." and "_" as they are, each run of others as one "-"; begins with a letter or
// digit.
std::string readable(std::string_view text, std::size_t cap) {
  std::string out;
  for (char c : text) {
    if (out.size() == cap) break;
    const char one[] = {'x', c, 0};  // whether `c` may stand inside an id
    if (c != '-' && is_valid_id(std::string_view(one, 2))) {
      if (!out.empty() || (c != '.' && c != '_')) out += c;
    } else if (!out.empty() && out.back() != '-') {
      out += '-';
    }
  }
  while (!out.empty() && out.back() == '-') out.pop_back();
  return out;
}

constexpr std::size_t kHashDigits = 12;

bool ends_like_a_hash(std::string_view key) {
  if (key.size() < kHashDigits + 1) return false;
  const auto tail = key.substr(key.size() - kHashDigits - 1);
  return tail[0] == '-' && tail.find_first_not_of("0123456789abcdef", 1) == std::string_view::npos;
}

}  // namespace

std::size_t CallDir::cap_of(std::string_view file) {
  const auto* entry = known(file);
  return entry != nullptr ? entry->cap : 0;
}

Result<void> CallDir::write_text(std::string_view file, std::string_view text) const {
  const auto* entry = known(file);
  if (entry == nullptr || entry->form != Form::kText) return unknown_file(file);
  if (text.size() <= entry->cap) return dir_.write_file(file, text, Durable::kYes);
  return dir_.write_file(file, cut_middle(text, entry->cap), Durable::kYes);
}

Result<void> CallDir::write_json(std::string_view file, const nlohmann::json& value) const {
  const auto* entry = known(file);
  if (entry == nullptr || entry->form != Form::kJson) return unknown_file(file);
  const auto text = value.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  if (text.size() > entry->cap) {
    Error error;
    error.kind = ErrorKind::kLimit;
    error.at = printable(dir_.path_of(file));
    error.message = error.at + " would have " + std::to_string(text.size()) + " bytes; " +
                    std::to_string(entry->cap) + " are allowed";
    error.hint = "return less, and put large results into out/";
    return error;
  }
  return dir_.write_file(file, text, Durable::kYes);
}

Result<Fd> CallDir::open_log(std::string_view file) const {
  const auto* entry = known(file);
  if (entry == nullptr || entry->form != Form::kLog) return unknown_file(file);
  return dir_.open_append(file);
}

Result<Sidecar> Sidecar::create(const Dir& agent, std::string_view task_id) {
  if (auto valid = check_id(task_id, "the task id"); !valid) return valid.error();
  const std::string id(task_id);
  const std::string path = "sidecars/" + id;
  auto made = agent.create_exclusive_dir(path, Durable::kYes);
  if (!made) return made.error();
  if (!*made) {
    Error error;
    error.kind = ErrorKind::kInvalid;
    error.at = printable(agent.path_of(path));
    error.message = "the task id '" + id + "' is taken: " + error.at + " exists";
    error.hint = "choose another --task-id, or leave it out; --prepared runs one that was prepared";
    return error;
  }
  auto out = agent.make_dirs(path + "/out", Durable::kYes);
  auto dir = out.ok() ? agent.dir(path) : Result<Dir>(out.error());
  if (!dir) {
    // Else the next try would find its own id taken.
    (void)agent.remove_tree(path);
    return dir.error();
  }
  return Sidecar(CallDir(id, std::move(*dir)));
}

Result<Sidecar> Sidecar::open(const Dir& agent, std::string_view task_id) {
  if (auto valid = check_id(task_id, "the task id"); !valid) return valid.error();
  const std::string id(task_id);
  auto dir = agent.dir("sidecars/" + id);
  if (dir.ok()) return Sidecar(CallDir(id, std::move(*dir)));
  if (agent.exists("sidecars/" + id)) return dir.error();
  Error error;
  error.kind = ErrorKind::kInvalid;
  error.message = "there is no sidecar '" + id + "'";
  error.hint = "`moonlet run list` shows the runs and their task ids";
  return error;
}

std::string Sidecar::default_id(std::string_view preset, std::int64_t wall_ms) {
  auto name = readable(preset, 42);
  if (name.empty()) name = "run";
  return name + "-" + compact_utc(wall_ms) + "-" + random_hex(2);
}

std::string Sidecar::step_name(std::string_view key) {
  const bool upper =
      std::any_of(key.begin(), key.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  if (is_valid_id(key) && !upper && !ends_like_a_hash(key)) return std::string(key);
  auto name = readable(key, 64 - kHashDigits - 1);
  if (name.empty()) name = "step";
  return name + "-" + sha256_hex(key).substr(0, kHashDigits);
}

Result<CallDir> Sidecar::step(std::string_view key) const {
  const auto name = step_name(key);
  const auto path = "steps/" + name;
  if (auto made = root_.dir().make_dirs(path + "/out", Durable::kYes); !made) return made.error();
  auto dir = root_.dir().dir(path);
  if (!dir) return dir.error();
  return CallDir(name, std::move(*dir));
}

}  // namespace moonlet
