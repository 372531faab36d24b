#include "host/executor/context.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/catch.h"

using namespace moonlet;
using namespace moonlet::executor;
using namespace std::string_literals;

TEST_CASE("executor plan: a file that is not UTF-8 is refused and named") {
  char name[] = "/tmp/executor-context-XXXXXX";
  const std::string top = ::mkdtemp(name);
  const auto refusal = [&](const std::string& bytes) {
    std::ofstream(top + "/plan.md") << bytes;
    auto plan = read_plan(top + "/plan.md");
    return plan ? std::string() : plan.error().message;
  };
  CHECK(refusal("\xff\xfe#\0P\0l\0"s).find("is text, but not in UTF-8") != std::string::npos);
  CHECK(refusal("\xe9\xe8\xe0 \xfc\xf6").find("is text, but not in UTF-8") != std::string::npos);
  CHECK(refusal("\x7f"
                "ELF\0\1\2"s)
            .find("is a binary file") != std::string::npos);
  CHECK(refusal("# Plan").empty());
  std::filesystem::remove_all(top);
}
