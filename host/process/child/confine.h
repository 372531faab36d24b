// Confinement limits the files and networks of a child by Landlock, a kernel feature.
// Landlock binds the child and its descendants before the first instruction.
// make_ruleset() makes the rules; the child applies them, see SpawnRequest::ruleset_fd.
// A rule that cannot be enforced is an error. Any thread.
//
// No version of Landlock stops all actions of a child.
// Landlock does not stop chmod, chown, utimes, setxattr and file locks, or stat of any path.
// Landlock does not restrict descriptors that were open before: stdin, stdout and stderr.
// Landlock does not stop connections to sockets with a path, such as docker.sock or ssh-agent.
// Landlock does not stop networks other than TCP: UDP (QUIC, DNS), ICMP, netlink.
// Landlock does not limit memory, CPU time and System V IPC.
// Landlock does not limit root, but spawn() drops rights to modules, clock and environments.
// A root child can still change owners, modes and user ids, and open raw sockets.
// A child can change a file in a writable folder that has a hard link outside.
// A child can execute readable files, and any file if reads are not restricted.
// Landlock's ABI is its version number.
// Landlock ABI 1 refuses to rename and link files across folders, even writable folders.
// Before ABI 3 of Landlock, truncate() empties files without write access.
// Before ABI 4 of Landlock, TCP works, and `no_network` is an error.
// Before ABI 5 of Landlock, ioctl works on devices that can be opened for reading.
// Before ABI 6 of Landlock, signals reach foreign processes, and abstract sockets work.
// A confined set-user-ID program gains no rights (sudo, su, some ping).
// A confined mount fails, and so does a sandbox that mounts, such as bubblewrap of Codex.
// A confined process cannot trace outer processes, or open their /proc/PID/mem and environ.
// Writable files are found at the start, with links followed.
// A program that saves by rename (most do) needs write access to the folder.
#pragma once

#include <string>
#include <vector>

#include "host/base/fd.h"
#include "host/base/result.h"

namespace moonlet {

struct Confinement {
  /// `writable` lists absolute paths of existing files, and of folders with everything below.
  /// The child can also write /dev/null, zero, full, random, urandom and tty.
  /// TMPDIR, /tmp and /dev/shm are not writable, because all programs of the user share them.
  /// The caller gives the child a private TMPDIR and lists it in `writable`.
  std::vector<std::string> writable;
  /// `readable` lists paths to read and execute with restrict_reads. Skips missing paths.
  /// The child can also read writable paths, its program, and the system's files.
  std::vector<std::string> readable;
  bool restrict_reads = false;
  bool no_network = false;  ///< no TCP, not even to this machine; kDenied before ABI 4
  /// Allows opening pseudo-terminals (/dev/ptmx, /dev/pts), for programs that need a terminal.
  /// The kernel cannot distinguish a new terminal from the user's.
  /// A child with terminals can write on the user's screen and, as root, type for the user.
  bool terminals = false;
  /// Lists absolute paths of writable folders whose subfolders cannot be removed or renamed.
  /// Subfolders in `writable` are exempt. Keepers do not support these paths.
  std::vector<std::string> keeping_folders;
};

struct ConfinementSupport {
  int abi = 0;         ///< Landlock's version; 0: unsupported
  std::string reason;  ///< why Landlock is unsupported
};
/// Asks the kernel for Landlock's version, which takes about a microsecond.
ConfinementSupport confinement_support();

/// ConfinedProgram is the program to run. The program needs to read its own files.
struct ConfinedProgram {
  std::string path;                   ///< see find_program()
  const char* search_path = nullptr;  ///< the program's PATH; null: none
  const char* home = nullptr;         ///< the program's HOME; null: none
  std::string cwd;
};

/// Returns the rules as a descriptor for SpawnRequest::ruleset_fd, for any number of children.
/// Fails with kDenied without support (with the reason) or access to a writable path.
/// Fails with kInvalid for a writable path that is relative or missing.
Result<Fd> make_ruleset(const Confinement& confinement, const ConfinedProgram& program,
                        const ConfinementSupport& support = confinement_support());

}  // namespace moonlet
