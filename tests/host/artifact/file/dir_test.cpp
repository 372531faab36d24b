#include "host/artifact/file/dir.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <thread>

#include "host/artifact/file/dir_open.h"
#include "tests/catch.h"
#include "tests/host/artifact/scratch.h"

using namespace moonlet;
using namespace moonlet::test;

TEST_CASE("a folder is opened by an absolute path only") {
  Scratch scratch;
  CHECK(Dir::open(scratch.path()).ok());
  CHECK(Dir::open("relative").error().kind == ErrorKind::kDenied);
  CHECK(Dir::open("").error().kind == ErrorKind::kDenied);
  CHECK(Dir::open(scratch / "missing").error().kind == ErrorKind::kInvalid);
  spit(scratch / "file", "x");
  CHECK(Dir::open(scratch / "file").error().kind == ErrorKind::kInvalid);
}

TEST_CASE("paths that could leave are refused by every operation") {
  Scratch scratch;
  auto dir = Dir::open(scratch.path());
  REQUIRE(dir);
  const std::string nul("a\0b", 3);
  for (const std::string& bad :
       {std::string("/etc/passwd"), std::string(".."), std::string("a/../b"), std::string("a/.."),
        std::string(), nul, std::string(300, 'n'), std::string(5000, 'p')}) {
    CHECK_FALSE(dir->read_file(bad, 10).ok());
    CHECK_FALSE(dir->write_file(bad, "x", Durable::kNo).ok());
    CHECK_FALSE(dir->stat(bad).ok());
    CHECK_FALSE(dir->list(bad, 10).ok());
    CHECK_FALSE(dir->make_dirs(bad).ok());
    CHECK_FALSE(dir->create_exclusive_dir(bad).ok());
    CHECK_FALSE(dir->open_append(bad).ok());
    CHECK_FALSE(dir->remove_tree(bad).ok());
    CHECK_FALSE(dir->remove_file(bad).ok());
    CHECK_FALSE(dir->rename(bad, "x").ok());
    CHECK_FALSE(dir->rename("x", bad).ok());
    CHECK_FALSE(dir->dir(bad).ok());
  }
  CHECK(entries_in(scratch.path()) == 0);
  const auto error = dir->read_file("../secret\nname", 10).error();
  CHECK(error.message.find("'..'") != std::string::npos);
  CHECK(error.message.find('\n') == std::string::npos);
  CHECK_FALSE(error.hint.empty());
}

TEST_CASE("files come back as they were written") {
  Scratch scratch;
  auto dir = Dir::open(scratch.path());
  REQUIRE(dir);
  REQUIRE(dir->make_dirs("a/b//c/./d", Durable::kYes).ok());
  REQUIRE(dir->make_dirs("a/b/c/d").ok());
  const std::string bytes("\0\xff\n text", 8);
  for (auto durable : {Durable::kNo, Durable::kYes}) {
    REQUIRE(dir->write_file("a/b/c/d/new\nline", bytes, durable).ok());
  }
  auto file = dir->read_file("a/b/c/d/new\nline", 100);
  REQUIRE(file);
  CHECK(file->bytes == bytes);
  CHECK(file->size == 8);
  CHECK_FALSE(file->cut);
  CHECK(entries_in(scratch / "a/b/c/d") == 1);
  CHECK(dir->stat("a/b/c/d/new\nline")->size == 8);
  CHECK(dir->stat("a")->kind == EntryKind::kDir);
  CHECK(dir->stat(".")->kind == EntryKind::kDir);
  CHECK_FALSE(dir->exists("b"));
  CHECK(dir->dir("a/b")->read_file("c/d/new\nline", 100)->bytes == bytes);
  CHECK(dir->dir("a/b")->path() == scratch / "a/b");
}

TEST_CASE("a file is not replaced after the right to do so is lost") {
  Scratch scratch;
  auto dir = Dir::open(scratch.path());
  REQUIRE(dir);
  std::size_t entries = 0;
  const auto refused = [&]() -> Result<void> {
    entries = entries_in(scratch.path());
    return Error{ErrorKind::kDenied, "taken over", {}, {}};
  };
  REQUIRE(dir->write_file("file", "old", Durable::kNo).ok());
  const auto result = dir->write_file("file", "new", Durable::kNo, refused);
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().message == "taken over");
  CHECK(entries == 2);  // asked once the new file is written and before it replaces the old one
  CHECK(entries_in(scratch.path()) == 1);
  CHECK(dir->read_file("file", 100)->bytes == "old");
}

TEST_CASE("a name is as long as the file system allows") {
  Scratch scratch;
  auto dir = Dir::open(scratch.path());
  REQUIRE(dir);
  const std::string name(255, 'n');
  REQUIRE(dir->write_file(name, "x", Durable::kNo).ok());
  CHECK(dir->read_file(name, 1)->bytes == "x");
  const auto error = dir->write_file(name + "n", "x", Durable::kNo).error();
  CHECK(error.message.find("ENAMETOOLONG") != std::string::npos);
}

TEST_CASE("reading stops at the cap and reports the cut") {
  Scratch scratch;
  auto dir = Dir::open(scratch.path());
  REQUIRE(dir);
  spit(scratch / "ten", "0123456789");
  for (std::size_t cap : {0, 1, 9}) {
    auto file = dir->read_file("ten", cap);
    REQUIRE(file);
    CHECK(file->bytes == std::string("0123456789").substr(0, cap));
    CHECK(file->size == 10);
    CHECK(file->cut);
  }
  CHECK_FALSE(dir->read_file("ten", 10)->cut);
  CHECK(dir->read_file("ten", SIZE_MAX)->bytes == "0123456789");
  REQUIRE(::truncate((scratch / "ten").c_str(), 1L << 40) == 0);
  auto sparse = dir->read_file("ten", 100'000);
  REQUIRE(sparse);
  CHECK(sparse->bytes.size() == 100'000);
  CHECK(sparse->bytes.capacity() < 200'000);
  CHECK(sparse->size == 1ULL << 40);
}

#ifdef __linux__
TEST_CASE("files of the kernel that have no size are read all the same") {
  auto proc = Dir::open("/proc/self");
  REQUIRE(proc);
  auto file = proc->read_file("status", 1 << 20);
  REQUIRE(file);
  CHECK(file->bytes.find("Pid:") != std::string::npos);
  CHECK_FALSE(file->cut);
  CHECK(file->size == file->bytes.size());
  // A magic link of /proc leads out of any folder.
  CHECK_FALSE(proc->read_file("root/etc/passwd", 10).ok());
  CHECK_FALSE(proc->read_file("cwd/x", 10).ok());
}
#endif

TEST_CASE("FIFOs, sockets, devices and folders are refused without waiting") {
  Scratch scratch;
  auto dir = Dir::open(scratch.path());
  REQUIRE(dir);
  REQUIRE(::mkfifo((scratch / "fifo").c_str(), 0600) == 0);
  const int server = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::copy_n((scratch / "sock").c_str(), (scratch / "sock").size() + 1, address.sun_path);
  REQUIRE(::bind(server, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  ::mkdir((scratch / "dir").c_str(), 0700);
  for (const char* name : {"fifo", "sock", "dir"}) {
    CHECK_FALSE(dir->read_file(name, 10).ok());
    CHECK_FALSE(dir->open_append(name).ok());
    CHECK_FALSE(dir->open_update(name).ok());
  }
  CHECK(dir->read_file("fifo", 10).error().message.find("FIFO") != std::string::npos);
  CHECK(dir->write_file("dir", "x", Durable::kNo).error().message.find("EISDIR") !=
        std::string::npos);
  // A FIFO in the place of a file is replaced, never opened.
  CHECK(dir->write_file("fifo", "x", Durable::kNo).ok());
  CHECK(slurp(scratch / "fifo") == "x");
  CHECK(entries_in(scratch.path()) == 3);
  ::close(server);
}

TEST_CASE("links that lead out are refused, links inside only to writers") {
  Scratch outside, scratch;
  spit(outside / "secret", "secret");
  spit(scratch / "inside", "inside");
  ::mkdir((scratch / "dir").c_str(), 0700);
  const auto link = [&](const std::string& to, const char* name) {
    REQUIRE(::symlink(to.c_str(), (scratch / name).c_str()) == 0);
  };
  link(outside / "secret", "out-file");
  link(outside.path(), "out-dir");
  link("../", "up");
  link("inside", "in-file");
  link("dir", "in-dir");
  link("loop", "loop");
  link(outside / "new", "dangling");
  auto dir = Dir::open(scratch.path());
  REQUIRE(dir);

  for (const char* name : {"out-file", "out-dir/secret", "up/x", "loop", "dangling"}) {
    CHECK_FALSE(dir->read_file(name, 10).ok());
    CHECK_FALSE(dir->open_append(name).ok());
  }
  for (const char* name : {"out-dir/new", "in-dir/new", "up/new"}) {
    CHECK_FALSE(dir->write_file(name, "x", Durable::kNo).ok());
    CHECK_FALSE(dir->make_dirs(name).ok());
    CHECK_FALSE(dir->create_exclusive_dir(name).ok());
  }
  CHECK_FALSE(dir->list("out-dir", 10).ok());
  CHECK_FALSE(dir->open_append("in-file").ok());
  CHECK(dir->stat("out-file")->kind == EntryKind::kLink);
  CHECK(dir->create_exclusive_dir("dangling").value() == false);

  // Writing over a link replaces the link.
  REQUIRE(dir->write_file("out-file", "mine", Durable::kNo).ok());
  REQUIRE(dir->write_file("dangling", "mine", Durable::kNo).ok());
  CHECK(slurp(outside / "secret") == "secret");
  CHECK(entries_in(outside.path()) == 1);
  CHECK(slurp(scratch / "out-file") == "mine");
}

TEST_CASE("links that stay beneath are followed for reading", "[linux]") {
  Scratch scratch;
  auto dir = Dir::open(scratch.path());
  REQUIRE(dir);
  spit(scratch / "file", "inside");
  REQUIRE(::symlink("file", (scratch / "link").c_str()) == 0);
  CHECK(dir->read_file("link", 10)->bytes == "inside");
}

TEST_CASE("a copy has the mode and the time of its file, even before 1970", "[linux]") {
  Scratch scratch;
  auto dir = Dir::open(scratch.path());
  REQUIRE(dir);
  spit(scratch / "file", "inside");
  REQUIRE(::chmod((scratch / "file").c_str(), 0640) == 0);
  REQUIRE(::symlink("file", (scratch / "link").c_str()) == 0);
  for (const time_t seconds : {1'000'000'000, -1'000'000'000}) {
    timespec times[2] = {};
    for (timespec& time : times) {
      time.tv_sec = seconds;
      time.tv_nsec = 500'000'000;
    }
    REQUIRE(::utimensat(AT_FDCWD, (scratch / "file").c_str(), times, 0) == 0);
    for (const char* name : {"file", "link"}) {
      REQUIRE(dir->copy_file(name, *dir, "copy").ok());
      CHECK(dir->read_file("copy", 10)->bytes == "inside");
      CHECK(dir->stat("copy")->mtime_ns == dir->stat("file")->mtime_ns);
      CHECK(dir->stat("copy")->mode == 0640);
    }
  }
}

TEST_CASE("a spooled text is read from its start, and has no name") {
  Scratch scratch;
  auto dir = Dir::open(scratch.path());
  REQUIRE(dir);
  const std::string text(300'000, 'x');
  auto first = dir->spool(text), second = dir->spool("other");
  REQUIRE(first);
  REQUIRE(second);
  CHECK(entries_in(scratch.path()) == 0);
  std::string read(text.size() + 1, '\0');
  std::size_t size = 0;
  for (long got = 1; got > 0; size += static_cast<std::size_t>(got)) {
    got = read_some(first->get(), read.data() + size, read.size() - size);
    REQUIRE(got >= 0);
  }
  CHECK(read.substr(0, size) == text);
}

TEST_CASE("hard links are not written through") {
  Scratch outside, scratch;
  spit(outside / "theirs", "theirs");
  REQUIRE(::link((outside / "theirs").c_str(), (scratch / "mine").c_str()) == 0);
  auto dir = Dir::open(scratch.path());
  REQUIRE(dir);
  CHECK(dir->open_append("mine").error().message.find("hard link") != std::string::npos);
  REQUIRE(dir->write_file("mine", "new", Durable::kNo).ok());
  CHECK(slurp(outside / "theirs") == "theirs");
  CHECK(slurp(scratch / "mine") == "new");
}

TEST_CASE("appending creates and adds") {
  Scratch scratch;
  auto dir = Dir::open(scratch.path());
  REQUIRE(dir);
  for (const char* part : {"one\n", "two\n"}) {
    auto fd = dir->open_append("log");
    REQUIRE(fd);
    CHECK(write_all(fd->get(), part) == 0);
    CHECK(fd->close() == 0);
  }
  CHECK(slurp(scratch / "log") == "one\ntwo\n");
}

TEST_CASE("names are listed in order, the first of them when there are too many") {
  Scratch scratch;
  for (int i = 0; i < 50; ++i) spit(scratch / std::string("f").append(std::to_string(i)), "");
  spit(scratch / "new\nline", "");
  ::mkdir((scratch / "dir").c_str(), 0700);
  ::symlink("x", (scratch / "link").c_str());
  ::mkfifo((scratch / "pipe").c_str(), 0600);
  auto dir = Dir::open(scratch.path());
  REQUIRE(dir);
  auto all = dir->list(".", 1000);
  REQUIRE(all);
  CHECK(all->total == 54);
  CHECK_FALSE(all->cut);
  CHECK(std::is_sorted(all->entries.begin(), all->entries.end(),
                       [](const Entry& a, const Entry& b) { return a.name < b.name; }));
  CHECK(all->entries[0].name == "dir");
  CHECK(all->entries[0].kind == EntryKind::kDir);
  CHECK(all->entries[51].kind == EntryKind::kLink);
  CHECK(all->entries[52].name == "new\nline");
  CHECK(all->entries[53].kind == EntryKind::kOther);
  auto some = dir->list(".", 3);
  REQUIRE(some);
  CHECK(some->cut);
  CHECK(some->total == 54);
  REQUIRE(some->entries.size() == 3);
  CHECK(some->entries[2].name == "f1");
}

TEST_CASE("an exclusive folder is made once") {
  Scratch scratch;
  auto dir = Dir::open(scratch.path());
  REQUIRE(dir);
  CHECK(dir->create_exclusive_dir("x", Durable::kYes).value());
  CHECK_FALSE(dir->create_exclusive_dir("x").value());
  spit(scratch / "file", "");
  CHECK_FALSE(dir->create_exclusive_dir("file").value());
  CHECK_FALSE(dir->create_exclusive_dir("missing/x").ok());

  const std::string path = scratch / "parent/new";
  CHECK(Dir::make_new(path).value());
  struct stat st {};
  REQUIRE(lstat(path.c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == 0700);
  REQUIRE(symlink(path.c_str(), (scratch / "link").c_str()) == 0);
  for (const char* taken : {"parent/new", "file", "link"}) {
    CHECK_FALSE(Dir::make_new(scratch / taken).value());
  }
  CHECK_FALSE(Dir::make_new(scratch / "file/x").ok());
}

TEST_CASE("a tree is removed whatever its depth, without following links") {
  Scratch outside, scratch(memory_folder());
  spit(outside / "keep", "keep");
  auto dir = Dir::open(scratch.path());
  REQUIRE(dir);
  REQUIRE(dir->make_dirs("tree/a/b").ok());
  ::symlink(outside.path().c_str(), (scratch / "tree/a/link").c_str());
  ::symlink(outside.path().c_str(), (scratch / "tree-link").c_str());
  ::mkfifo((scratch / "tree/a/b/pipe").c_str(), 0600);
  for (int i = 0; i < 500; ++i) spit(scratch / ("tree/a/" + std::to_string(i)), "x");
  spit(scratch / "tree/.rm-1", "a name that the removal would like to use");
  // The tree is too deep for a path or for one open descriptor per level.
  int fd = ::open((scratch / "tree").c_str(), O_RDONLY | O_DIRECTORY);
  for (int depth = 0; depth < 3000; ++depth) {
    REQUIRE(::mkdirat(fd, "deeper-and-deeper", 0700) == 0);
    const int next = ::openat(fd, "deeper-and-deeper", O_RDONLY | O_DIRECTORY);
    ::close(fd);
    fd = next;
  }
  ::close(fd);
  ::chmod((scratch / "tree/a/b").c_str(), 0);

  CHECK(dir->remove_tree("tree", 100).error().kind == ErrorKind::kLimit);
  REQUIRE(dir->remove_tree("tree").ok());
  CHECK_FALSE(dir->exists("tree"));
  REQUIRE(dir->remove_tree("tree").ok());
  REQUIRE(dir->remove_tree("tree-link").ok());
  CHECK(slurp(outside / "keep") == "keep");
  CHECK(entries_in(scratch.path()) == 0);
}

TEST_CASE("removals of one tree side by side all succeed") {
  Scratch scratch;
  auto dir = Dir::open(scratch.path());
  REQUIRE(dir);
  for (int round = 0; round < 50; ++round) {
    for (const char* path : {"tree/a/b/c", "tree/a/d", "tree/e"}) {
      REQUIRE(dir->make_dirs(path).ok());
      for (int i = 0; i < 10; ++i) spit(scratch / (path + ("/" + std::to_string(i))), "x");
    }
    std::atomic<int> ready{0}, failed{0};
    std::vector<std::thread> removers;
    for (int i = 0; i < 4; ++i) {
      removers.emplace_back([&] {
        for (++ready; ready < 4;) std::this_thread::yield();
        failed += !dir->remove_tree("tree").ok();
      });
    }
    for (std::thread& remover : removers) remover.join();
    REQUIRE(failed == 0);
    REQUIRE_FALSE(dir->exists("tree"));
  }
}

#ifdef __linux__
TEST_CASE("a link swapper gets nothing in or out") {
  Scratch outside, scratch;
  spit(outside / "file", "outside");
  auto dir = Dir::open(scratch.path());
  REQUIRE(dir);
  REQUIRE(dir->make_dirs("spot").ok());
  spit(scratch / "spot/file", "inside");
  ::symlink(outside.path().c_str(), (scratch / "evil").c_str());

  // An atomic exchange: "spot" always exists, as the folder or as the link.
  std::atomic<bool> stop{false};
  std::thread swapper([&] {
    while (!stop) {
      ::renameat2(dir->fd(), "spot", dir->fd(), "evil", RENAME_EXCHANGE);
    }
  });
  int escapes = 0, inside = 0;
  const auto walk = [&] {
    Fd fd(open_beneath_by_walk(dir->fd(), "spot/file", O_RDONLY, 0));
    char text[16];
    if (fd && read_some(fd.get(), text, sizeof text) > 0) escapes += text[0] == 'o';
  };
  for (int i = 0; i < 20'000; ++i) {
    if (auto file = dir->read_file("spot/file", 100)) {
      (file->bytes == "inside" ? inside : escapes) += 1;
    }
    walk();
    if (i % 8 == 0) (void)dir->write_file("spot/new", "x", Durable::kNo);
    if (i % 8 == 1) (void)dir->open_append("spot/log");
    if (i % 8 == 2) (void)dir->make_dirs("spot/sub/dir");
    if (i % 64 == 3) (void)dir->remove_tree("spot/sub");
  }
  stop = true;
  swapper.join();
  CHECK(escapes == 0);
  CHECK(inside > 0);
  CHECK(entries_in(outside.path()) == 1);
  CHECK(slurp(outside / "file") == "outside");
}
#endif

TEST_CASE("without openat2 the same paths are refused") {
  Scratch outside, scratch;
  spit(outside / "secret", "x");
  auto dir = Dir::open(scratch.path());
  REQUIRE(dir);
  REQUIRE(dir->make_dirs("a/b").ok());
  spit(scratch / "a/b/file", "x");
  ::symlink(outside.path().c_str(), (scratch / "a/link").c_str());
  const auto opens = [&](const char* path) {
    return static_cast<bool>(Fd(open_beneath_by_walk(dir->fd(), path, O_RDONLY, 0)));
  };
  CHECK(opens("a/b/file"));
  CHECK(opens("a"));
  CHECK_FALSE(opens("a/link"));
  CHECK(errno == ELOOP);
  CHECK_FALSE(opens("a/link/secret"));
  CHECK(errno == ELOOP);
  CHECK_FALSE(opens("a/missing/file"));
  CHECK(errno == ENOENT);
  CHECK(Fd(open_beneath_by_walk(dir->fd(), "a/made", O_WRONLY | O_CREAT, 0600)));
}
