// raising<fn>, returning<fn> and working<fn> turn a C++ function that does not use Lua into a Lua
// function. They read the arguments by the types of the parameters, call `fn`, and push its result.
// The first argument of a member function is its object.
// `fn` may own memory and throw, because no Lua error is raised while it runs. Loop thread only.
#pragma once

#include <atomic>
#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "host/base/release.h"
#include "host/base/result.h"
#include "lua/vm/error.h"
#include "lua/vm/guard.h"
#include "lua/vm/services.h"
#include "lua/vm/state.h"
#include "lua/vm/value.h"
#include "lua/vm/work.h"

namespace moonlet {

/// Argument<T>::read() returns the argument at `index`, or raises an error if it has another type.
/// A T must be trivially destructible. `kCount` is the number of Lua values that it takes.
template <typename T>
struct Argument;

template <>
struct Argument<std::string_view> {
  static constexpr int kCount = 1;
  static std::string_view read(lua_State* L, int index) { return check_text(L, index); }
};
template <std::integral T>
struct Argument<T> {
  static constexpr int kCount = 1;
  static T read(lua_State* L, int index) { return static_cast<T>(luaL_checkinteger(L, index)); }
};
template <>
struct Argument<bool> {
  static constexpr int kCount = 1;
  static bool read(lua_State* L, int index) { return lua_toboolean(L, index) != 0; }
};
/// An optional argument may be nil or missing.
template <typename T>
struct Argument<std::optional<T>> {
  static constexpr int kCount = 1;
  static std::optional<T> read(lua_State* L, int index) {
    if (lua_isnoneornil(L, index)) return std::nullopt;
    return Argument<T>::read(L, index);
  }
};
/// A list of strings.
template <>
struct Argument<const std::vector<std::string>&> {
  static constexpr int kCount = 1;
  static const std::vector<std::string>& read(lua_State* L, int index) {
    luaL_checktype(L, index, LUA_TTABLE);
    auto& texts = push_box<std::vector<std::string>>(L);
    for (lua_Integer i = 1; lua_rawgeti(L, index, i) != LUA_TNIL; ++i) {
      texts.emplace_back(check_text(L, -1));
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return texts;
  }
};
/// Null if the argument is nil or missing.
template <>
struct Argument<const std::vector<std::string>*> {
  static constexpr int kCount = 1;
  static const std::vector<std::string>* read(lua_State* L, int index) {
    if (lua_isnoneornil(L, index)) return nullptr;
    return &Argument<const std::vector<std::string>&>::read(L, index);
  }
};
template <>
struct Argument<Services&> {
  static constexpr int kCount = 0;
  static Services& read(lua_State* L, int) { return Services::of(L); }
};
template <>
struct Argument<const Services&> : Argument<Services&> {};
/// The current run. Raises an error if there is none.
template <>
struct Argument<RunDriver&> {
  static constexpr int kCount = 0;
  static RunDriver& read(lua_State* L, int) { return check_run(L); }
};
template <>
struct Argument<const RunDriver&> : Argument<RunDriver&> {};
/// For working<fn>: a flag that becomes true when `fn` should stop.
template <>
struct Argument<std::atomic<bool>&> {
  static constexpr int kCount = 0;
  static std::atomic<bool>& read(lua_State* L, int) {
    return push_box<std::atomic<bool>>(L, false);
  }
};

namespace detail {

/// Reads the argument at `index`, and moves `index` after it.
template <typename T>
T next_argument(lua_State* L, int& index) {
  const int at = index;
  index += Argument<T>::kCount;
  return Argument<T>::read(L, at);
}

template <typename... T>
std::tuple<T...> read_arguments(lua_State* L) {
  static_assert(std::is_trivially_destructible_v<std::tuple<T...>>);
  lua_settop(L, (Argument<T>::kCount + ... + 0));
  [[maybe_unused]] int index = 1;
  return std::tuple<T...>{next_argument<T>(L, index)...};  // braces: from left to right
}

inline int push_failure(lua_State* L, const Error& error) {
  lua_pushnil(L);
  push_error(L, error);
  return 2;
}

template <std::integral T>
int push_result(lua_State* L, T value) {
  if constexpr (std::is_same_v<T, bool>) {
    lua_pushboolean(L, value);
  } else {
    lua_pushinteger(L, static_cast<lua_Integer>(value));
  }
  return 1;
}
inline int push_result(lua_State* L, std::nullptr_t) { return lua_pushnil(L), 1; }
inline int push_result(lua_State* L, std::string_view text) {
  lua_pushlstring(L, text.data(), text.size());
  return 1;
}
/// Also frees the text, because the garbage collector does not see the memory of a box.
inline int push_result(lua_State* L, std::string& text) {
  push_result(L, std::string_view(text));
  release(text);
  return 1;
}
inline int push_result(lua_State* L, nlohmann::json& value) {
  push_value(L, value);
  value = nullptr;
  return 1;
}
inline int push_result(lua_State* L, std::vector<std::string>& texts) {
  lua_createtable(L, static_cast<int>(texts.size()), 0);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    push_result(L, texts[i]);
    lua_rawseti(L, -2, static_cast<lua_Integer>(i) + 1);
  }
  return 1;
}
template <typename... T>
int push_result(lua_State* L, std::tuple<T...>& values);
template <typename T>
int push_result(lua_State* L, std::optional<T>& value) {
  return value ? push_result(L, *value) : 0;
}
template <typename... T>
int push_result(lua_State* L, std::tuple<T...>& values) {
  int count = 0;
  std::apply([&](T&... value) { ((count += push_result(L, value)), ...); }, values);
  return count;
}

template <bool raises, typename T>
int push_outcome(lua_State* L, T& value) {
  return push_result(L, value);
}
template <bool raises, typename T>
int push_outcome(lua_State* L, Result<T>& result) {
  if (!result) return raises ? raise_error(L, result.error()) : push_failure(L, result.error());
  if constexpr (std::is_void_v<T>) {
    return raises ? 0 : push_result(L, true);
  } else {
    return push_result(L, *result);
  }
}

template <typename T>
Result<nlohmann::json> as_json(Result<T> result) {
  if (!result) return std::move(result).error();
  if constexpr (std::is_void_v<T>) {
    return nlohmann::json(true);
  } else {
    return nlohmann::json(std::move(*result));
  }
}

template <auto fn, typename R, typename... Args>
struct Caller {
  template <bool raises, bool is_host_work>
  static int call(lua_State* L) {
    const auto arguments = read_arguments<Args...>(L);
    const auto run = [&] {
      if constexpr (is_host_work) {
        const LuaState::HostWork work(L);
        return std::apply(fn, arguments);
      } else {
        return std::apply(fn, arguments);
      }
    };
    if constexpr (std::is_void_v<R>) {
      run();
      return 0;
    } else if constexpr (std::is_trivially_destructible_v<R>) {
      R result = run();  // a Lua error may skip its destructor, so it needs no box
      return push_outcome<raises>(L, result);
    } else {
      auto& result = push_box<std::optional<R>>(L);
      result.emplace(run());
      return push_outcome<raises>(L, *result);
    }
  }

  static int await(lua_State* L) {
    const auto arguments = read_arguments<Args...>(L);
    push_work(L) = [arguments] { return as_json(std::apply(fn, arguments)); };
    if constexpr ((std::is_same_v<Args, std::atomic<bool>&> || ...)) {
      return await_work(L, &std::get<std::atomic<bool>&>(arguments));
    } else {
      return await_work(L);
    }
  }
};

template <auto fn>
struct Bound;
template <typename R, typename... Args, R (*fn)(Args...)>
struct Bound<fn> : Caller<fn, R, Args...> {};
template <typename R, typename C, typename... Args, R (C::*fn)(Args...)>
struct Bound<fn> : Caller<fn, R, C&, Args...> {};
template <typename R, typename C, typename... Args, R (C::*fn)(Args...) const>
struct Bound<fn> : Caller<fn, R, const C&, Args...> {};

}  // namespace detail

/// For raising and returning: `fn` is slow, as disk access is. See LuaState::HostWork.
constexpr bool kHostWork = true;

/// A Lua function that raises the Error of `fn`. A Result<void> becomes no value.
template <auto fn, bool is_host_work = false>
int raising(lua_State* L) {
  return guard<detail::Bound<fn>::template call<true, is_host_work>>(L);
}

/// A Lua function that returns nil and the Error of `fn`. A Result<void> becomes true.
/// For a `fn` that returns no Result, raising and returning are the same.
template <auto fn, bool is_host_work = false>
int returning(lua_State* L) {
  return guard<detail::Bound<fn>::template call<false, is_host_work>>(L);
}

/// A Lua function that runs `fn`, which returns a Result, on a worker thread; see await_work().
/// It returns nil and the Error of `fn`. A Result<void> becomes true.
template <auto fn>
int working(lua_State* L) {
  return guard<detail::Bound<fn>::await>(L);
}

}  // namespace moonlet
