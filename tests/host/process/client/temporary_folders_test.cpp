#include "host/process/client/temporary_folders.h"

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/catch.h"

namespace fs = std::filesystem;
using moonlet::Dir;
using moonlet::is_temporary_folder_name;
using moonlet::remove_temporary_folders;

namespace {

struct Scratch {
  Scratch() {
    std::string name = (fs::temp_directory_path() / "moonlet-folders.XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = fs::canonical(name);
    fs::create_directories(path / "run/temporary");
    fs::create_directories(path / "tmp");
  }
  ~Scratch() { fs::remove_all(path); }

  fs::path folder(const std::string& name) const {
    fs::create_directories(path / "tmp" / name / "deep");
    std::ofstream(path / "tmp" / name / "deep/file") << "private";
    return path / "tmp" / name;
  }
  fs::path record(const std::string& name, const std::string& text) const {
    std::ofstream(path / "run/temporary" / name) << text;
    return path / "run/temporary" / name;
  }
  void remove() const {
    auto run = Dir::open((path / "run").string());
    REQUIRE(run.ok());
    remove_temporary_folders(*run);
  }

  fs::path path;
};

}  // namespace

TEST_CASE("temporary folders: a folder on record is removed with its record") {
  Scratch scratch;
  const std::string one = "moonlet-0123456789abcdef", two = "moonlet-fedcba9876543210";
  const fs::path first = scratch.folder(one), other = scratch.folder(two);
  scratch.record(one, first.string() + "\n");
  scratch.remove();
  CHECK_FALSE(fs::exists(first));
  CHECK(fs::exists(other));
  CHECK_FALSE(fs::exists(scratch.path / "run/temporary"));
  scratch.remove();  // leaves no record
}

TEST_CASE("temporary folders: a missing folder or parent is not an error") {
  Scratch scratch;
  const std::string name = "moonlet-0123456789abcdef";
  const fs::path record = scratch.record(name, (scratch.path / "nowhere" / name).string() + "\n");
  scratch.remove();
  CHECK_FALSE(fs::exists(record));
}

TEST_CASE("temporary folders: a record that names something else removes nothing") {
  Scratch scratch;
  const std::string name = "moonlet-0123456789abcdef";
  const fs::path precious = scratch.folder("precious");
  const std::string text =
      GENERATE_COPY(precious.string() + "\n", precious.string() + "/",
                    std::string("moonlet-0123456789abcdef"), std::string("/"), std::string(),
                    std::string("\n"), precious.string() + "/../precious", std::string(5000, 'x'));
  const fs::path record = scratch.record(name, text);
  scratch.record("precious", precious.string() + "\n");
  scratch.remove();
  CHECK(fs::exists(precious / "deep/file"));
  CHECK(fs::exists(record));
}

TEST_CASE("temporary folders: links are removed, not followed") {
  Scratch scratch;
  const std::string name = "moonlet-0123456789abcdef";
  const fs::path precious = scratch.folder("precious");
  fs::create_directory_symlink(precious, scratch.path / "tmp" / name);
  scratch.record(name, (scratch.path / "tmp" / name).string() + "\n");
  scratch.remove();
  CHECK(fs::exists(precious / "deep/file"));
  CHECK_FALSE(fs::is_symlink(scratch.path / "tmp" / name));
}

TEST_CASE("temporary folders: names") {
  CHECK(is_temporary_folder_name("moonlet-0123456789abcdef"));
  CHECK_FALSE(is_temporary_folder_name("moonlet-0123456789ABCDEF"));
  CHECK_FALSE(is_temporary_folder_name("moonlet-0123456789abcde"));
  CHECK_FALSE(is_temporary_folder_name("moonlet-0123456789abcdef0"));
  CHECK_FALSE(is_temporary_folder_name("moonlex-0123456789abcdef"));
  CHECK_FALSE(is_temporary_folder_name(""));
}
