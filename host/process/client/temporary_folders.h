// The folders for temporary files of a run's agents, which lie outside of `.agent`: each is put on
// record in the run's folder before it is used, so that whoever finds the run left by a dead host
// can remove them. Removes nothing but folders of that kind's name. Blocking, any thread.
#pragma once

#include <string_view>

#include "host/artifact/file/dir.h"

namespace moonlet {

/// Where the records are, in a run's folder: a file for each, its name that of the folder, its text
/// the folder's absolute path.
inline constexpr char kTemporaryRecords[] = "temporary";

/// Whether a folder is named as those for temporary files are: "moonlet-" and 16 hex digits.
bool is_temporary_folder_name(std::string_view name);

/// Removes all that are on record, and their records; those of other kinds of names stay, record
/// and all. Only when none of the run's processes is left, and by whoever holds its lock.
void remove_temporary_folders(const Dir& run_dir);

}  // namespace moonlet
