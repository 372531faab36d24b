// The public JSON Schema test suite, draft-07 (tests/data/json-schema-test-suite). Only cases that
// need a document from elsewhere, and the few optional ones listed here, are left out.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "host/base/json.h"
#include "host/validation/schema/schema.h"
#include "tests/catch.h"
#include "tests/places.h"

using namespace moonlet;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

// The tests that are left out: whole files, or "file: description of the schema".
const std::map<std::string, std::string> kLeftOut = {
    {"refRemote.json", "needs remote documents"},
    {"optional/cross-draft.json", "needs a remote document"},
    {"optional/ecmascript-regex.json", "patterns are those of RE2"},
    {"optional/format/ecmascript-regex.json", "patterns are those of RE2"},
    {"optional/format/hostname.json", "an annotation"},
    {"optional/format/idn-email.json", "an annotation"},
    {"optional/format/idn-hostname.json", "an annotation"},
    {"optional/format/iri-reference.json", "an annotation"},
    {"optional/format/iri.json", "an annotation"},
    {"optional/format/json-pointer.json", "an annotation"},
    {"optional/format/relative-json-pointer.json", "an annotation"},
    {"optional/format/uri-reference.json", "an annotation"},
    {"optional/format/uri-template.json", "an annotation"},
};

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Counts {
  int passed = 0, failed = 0, left_out = 0;
};

void run_group(const std::string& file, const json& group, Counts& counts) {
  const auto description = group["description"].get<std::string>();
  const auto schema = Schema::compile(group["schema"]);
  if (!schema) {
    ++counts.failed;
    FAIL_CHECK(file << ": " << description << ": " << schema.error().message);
    return;
  }
  for (const auto& test : group["tests"]) {
    const auto report = schema->validate(test["data"]);
    if (report.ok == test["valid"].get<bool>() && report.ok == report.errors.empty() &&
        !report.limit_hit) {
      ++counts.passed;
      continue;
    }
    ++counts.failed;
    FAIL_CHECK(file << ": " << description << ": " << test["description"] << ": "
                    << json_text(test["data"]) << "\n"
                    << to_text(report));
  }
}

}  // namespace

TEST_CASE("the public draft-07 suite passes") {
  const char* chosen = std::getenv("MOONLET_SCHEMA_SUITE");
  const fs::path root = chosen != nullptr
                            ? chosen
                            : std::string(places::kTests) + "/data/json-schema-test-suite/draft7";
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(root)) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  REQUIRE(files.size() > 40);
  JsonLimits limits;
  limits.big_integers = BigIntegers::kDouble;
  Counts counts;
  std::string left_out;
  for (const auto& path : files) {
    const auto file = path.lexically_relative(root).generic_string();
    const auto groups = parse_json(read_file(path), limits);
    INFO(file);
    REQUIRE(groups);
    for (const auto& group : *groups) {
      const auto name = file + ": " + group["description"].get<std::string>();
      auto reason = kLeftOut.find(file);
      if (reason == kLeftOut.end()) reason = kLeftOut.find(name);
      if (reason == kLeftOut.end()) {
        run_group(file, group, counts);
        continue;
      }
      const auto tests = group["tests"].size();
      counts.left_out += static_cast<int>(tests);
      left_out += "  " + name + " (" + std::to_string(tests) + ", " + reason->second + ")\n";
    }
  }
  std::printf("JSON Schema suite, draft-07: %d passed, %d failed, %d left out\n%s", counts.passed,
              counts.failed, counts.left_out, left_out.c_str());
  CHECK(counts.failed == 0);
}
