#include "lua/vm/small_blocks.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <vector>

#include "tests/catch.h"

using moonlet::SmallBlocks;

namespace {

struct Block {
  unsigned char* memory;
  std::size_t size;
  unsigned char mark;
};

void* take(SmallBlocks& blocks, std::size_t size) {
  void* block = blocks.take(size);
  if (block != nullptr) return block;
  REQUIRE(blocks.add_slab());
  return blocks.take(size);
}

/// Allocates blocks of one size until they fill `bytes`.
std::vector<void*> fill(SmallBlocks& blocks, std::size_t size, std::size_t bytes) {
  std::vector<void*> taken;
  for (std::size_t sum = 0; sum < bytes; sum += size) taken.push_back(take(blocks, size));
  return taken;
}

}  // namespace

TEST_CASE("small blocks: no two overlap, and each keeps its content", "[lua][memory]") {
  SmallBlocks blocks;
  std::mt19937 random(20260401);  // NOLINT: the same cases each time
  std::vector<Block> taken;
  bool aligned = true, kept = true;
  for (int round = 0; round < 200'000; ++round) {
    // Phases in which allocations prevail alternate with phases in which frees prevail.
    const bool grows = random() % 8 < ((round / 20'000) % 2 == 0 ? 6U : 2U);
    if (grows || taken.empty()) {
      const std::size_t size = 1 + random() % SmallBlocks::kLargest;
      Block block{static_cast<unsigned char*>(take(blocks, size)), size,
                  static_cast<unsigned char>(random())};
      aligned = aligned &&
                reinterpret_cast<std::uintptr_t>(block.memory) % alignof(std::max_align_t) == 0;
      std::memset(block.memory, block.mark, size);
      taken.push_back(block);
      continue;
    }
    std::swap(taken[random() % taken.size()], taken.back());
    const Block block = taken.back();
    taken.pop_back();
    for (std::size_t i = 0; i < block.size; ++i) kept = kept && block.memory[i] == block.mark;
    blocks.give_back(block.memory);
  }
  CHECK(aligned);
  CHECK(kept);
  for (const Block& block : taken) blocks.give_back(block.memory);
  CHECK(blocks.bytes() == SmallBlocks::kSlabBytes);
}

TEST_CASE("small blocks: freed pages of one size serve another", "[lua][memory]") {
  SmallBlocks blocks;
  constexpr std::size_t kBytes = std::size_t{4} << 20;
  std::size_t most = 0;
  for (std::size_t size = 16; size <= SmallBlocks::kLargest; size += 16) {
    const std::vector<void*> taken = fill(blocks, size, kBytes);
    most = std::max(most, blocks.bytes());
    for (void* block : taken) blocks.give_back(block);
  }
  CHECK(most < kBytes * 11 / 10);
  CHECK(blocks.bytes() == SmallBlocks::kSlabBytes);
}

TEST_CASE("small blocks: a new size needs a slab only where no page is empty", "[lua][memory]") {
  SmallBlocks blocks;
  CHECK(blocks.take(1) == nullptr);
  REQUIRE(blocks.add_slab());
  void* smallest = blocks.take(1);
  REQUIRE(smallest != nullptr);
  CHECK(SmallBlocks::fits(smallest, 16));
  CHECK_FALSE(SmallBlocks::fits(smallest, 17));
  void* largest = blocks.take(SmallBlocks::kLargest);
  REQUIRE(largest != nullptr);
  CHECK(SmallBlocks::fits(largest, SmallBlocks::kLargest));
  CHECK(blocks.bytes() == SmallBlocks::kSlabBytes);
  blocks.give_back(smallest);
  CHECK(blocks.take(16) != nullptr);
  CHECK(blocks.bytes() == SmallBlocks::kSlabBytes);
}
