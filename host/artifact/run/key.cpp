#include "host/artifact/run/key.h"

#include "host/base/id.h"

namespace moonlet {

namespace {

constexpr const char* kName = "key";
constexpr std::size_t kDigits = 64;

bool is_key(const std::string& text) {
  return text.size() == kDigits && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

Result<std::string> run_key(const Dir& run_dir) {
  auto kept = run_dir.read_file(kName, kDigits + 1);
  if (kept && is_key(kept->bytes)) return std::move(kept->bytes);
  if (!kept && kept.error().kind != ErrorKind::kInvalid) return kept.error();
  std::string key = random_hex(kDigits / 2);
  auto written = run_dir.write_file(kName, key, Durable::kYes, {}, 0600);
  if (!written) return written.error();
  return key;
}

}  // namespace moonlet
