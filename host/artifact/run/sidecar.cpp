#include "host/artifact/run/sidecar.h"

#include <algorithm>

#include "host/base/clock.h"
#include "host/base/digest.h"
#include "host/base/id.h"
#include "host/base/text.h"

namespace moonlet {

namespace {

// Keeps letters, digits, "." and "_", and replaces other characters by "-".
// A readable name begins with a letter or digit.
std::string readable(std::string_view text, std::size_t cap) {
  std::string out;
  for (char c : text) {
    if (out.size() == cap) break;
    const char one[] = {'x', c, 0};  // tests whether `c` may stand inside an id
    if (c != '-' && is_valid_id(std::string_view(one, 2))) {
      if (!out.empty() || (c != '.' && c != '_')) out += c;
    } else if (!out.empty() && out.back() != '-') {
      out += '-';
    }
  }
  while (!out.empty() && out.back() == '-') out.pop_back();
  return out;
}

// Replaces the escapes of "/", "#" and "%" in a key by "-". Folder names cannot contain these.
std::string without_escapes(std::string_view key) {
  std::string out;
  for (std::size_t at = 0; at < key.size(); ++at) {
    const auto three = key.substr(at, 3);
    const bool escape = three == "%2F" || three == "%23" || three == "%25";
    out += escape ? '-' : key[at];
    if (escape) at += 2;
  }
  return out;
}

constexpr std::size_t kHashDigits = 12;

bool ends_like_a_hash(std::string_view key) {
  if (key.size() < kHashDigits + 1) return false;
  const auto tail = key.substr(key.size() - kHashDigits - 1);
  return tail[0] == '-' && tail.find_first_not_of("0123456789abcdef", 1) == std::string_view::npos;
}

}  // namespace

Result<void> make_sidecar(const Dir& agent, std::string_view task_id) {
  if (auto valid = check_id(task_id, "the task id"); !valid) return valid.error();
  const std::string id(task_id);
  const std::string path = "sidecars/" + id;
  auto made = agent.create_exclusive_dir(path, Durable::kYes);
  if (!made) return made.error();
  if (!*made) {
    const std::string at = printable(agent.path_of(path));
    return Error{ErrorKind::kInvalid, "the task id '" + id + "' is taken: " + at + " exists",
                 "choose another --task-id, or leave it out; --prepared runs one that was prepared",
                 at};
  }
  if (auto out = agent.make_dirs(path + "/out", Durable::kYes); !out) {
    // Remove the half-made sidecar, because a retry would find its own id taken.
    (void)agent.remove_tree(path);
    return out.error();
  }
  return {};
}

std::string default_task_id(std::string_view preset, std::int64_t wall_ms) {
  auto name = readable(preset, 42);
  if (name.empty()) name = "run";
  return name + "-" + compact_utc(wall_ms) + "-" + random_hex(2);
}

std::string step_name(std::string_view key) {
  const bool upper =
      std::any_of(key.begin(), key.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  if (is_valid_id(key) && !upper && !ends_like_a_hash(key)) return std::string(key);
  auto name = readable(without_escapes(key), 64 - kHashDigits - 1);
  if (name.empty()) name = "step";
  return name + "-" + sha256_hex(key).substr(0, kHashDigits);
}

}  // namespace moonlet
