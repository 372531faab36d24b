// The folders for temporary files of a run's agents, which lie outside of `.agent`: each is put on
// record in the run's folder before it is used, so that a later host can remove those of a dead
// one. Removes only folders of that kind's name. Blocking, any thread.
#pragma once

#include <string_view>

#include "host/artifact/file/dir.h"

namespace moonlet {

/// The folder of the records, in a run's folder: a file for each, its name that of the folder, its
/// text the folder's absolute path.
inline constexpr char kTemporaryRecords[] = "temporary";

/// True for the name of a temporary folder: "moonlet-" and 16 hex digits.
bool is_temporary_folder_name(std::string_view name);

/// Removes all folders on record, and their records; a record with another kind of name stays, and
/// its folder, too. Only for the holder of the run's lock, when none of the run's processes is
/// left.
void remove_temporary_folders(const Dir& run_dir);

}  // namespace moonlet
