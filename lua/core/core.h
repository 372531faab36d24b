// Declares the libraries of the table `core`, which C++ provides to the standard library.
// Only modules of the standard library can access `core`. Presets use ctx and m instead.
#pragma once

#include "lua/vm/lua_api.h"

namespace moonlet {

/// Each list has the functions of a library. {nullptr, nullptr} ends it.
extern const luaL_Reg kCoreArchive[], kCoreAudit[], kCoreClock[], kCoreCoroutine[], kCoreDetach[],
    kCoreEvent[], kCoreFile[], kCoreFileSwap[], kCoreFrames[], kCoreHost[], kCoreJournal[],
    kCoreJson[], kCoreLedger[], kCoreLine[], kCoreLines[], kCoreLost[], kCoreProcess[], kCoreRun[],
    kCoreRuns[], kCoreScript[], kCoreSecret[], kCoreSession[], kCoreSystem[], kCoreTask[],
    kCoreTerminal[], kCoreText[], kCoreTree[];

/// Pushes the table `core` with all libraries.
void push_core(lua_State* L);

}  // namespace moonlet
