#include "host/process/remote/attempt.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "tests/catch.h"
#include "tests/host/artifact/scratch.h"

using namespace moonlet;

TEST_CASE("a remote attempt makes folders and files only inside of its own folder") {
  const test::Scratch scratch;
  auto attempt = RemoteAttempt::make(scratch / "far", "aaaaaaaa1");
  REQUIRE(attempt);
  CHECK(attempt->make_folders("step/out"));
  // A runner may name its state folder with a slash at the end.
  CHECK(attempt->make_folders("tmp/state/"));
  struct stat info {};
  REQUIRE(fstatat(attempt->fd(), "tmp/state", &info, AT_SYMLINK_NOFOLLOW) == 0);
  CHECK(S_ISDIR(info.st_mode));
  CHECK(attempt->write("step/prompt.md", "text"));
  CHECK(attempt->read("step/prompt.md", 0, 100) == "text");
  for (const char* name : {"", "/", "/tmp/x", "..", "../x", "step/../../x", "./x", "step/."}) {
    INFO(name);
    CHECK_FALSE(attempt->make_folders(name));
    CHECK_FALSE(attempt->write(name, "text"));
  }
}
