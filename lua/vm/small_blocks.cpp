#include "lua/vm/small_blocks.h"

#include <cstdint>
#include <cstdlib>
#include <new>

namespace moonlet {

namespace {

constexpr std::size_t kPageBytes = std::size_t{16} << 10;
constexpr std::size_t kPages = SmallBlocks::kSlabBytes / kPageBytes;

/// Returns the start of the page that contains a block. Pages are aligned to their size.
void* page_start(const void* block) {
  return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(block) & ~(kPageBytes - 1));
}

template <typename T>
void link(T*& list, T* item) {
  item->before = nullptr;
  item->next = list;
  if (list != nullptr) list->before = item;
  list = item;
}

template <typename T>
void unlink(T*& list, T* item) {
  if (item->next != nullptr) item->next->before = item->before;
  (item->before != nullptr ? item->before->next : list) = item->next;
}

}  // namespace

struct SmallBlocks::Free {
  Free* next;
};

/// Page is the header at the start of each page of blocks. A page without used blocks is in its
/// slab's list `empty`, and in no other list.
struct alignas(std::max_align_t) SmallBlocks::Page {
  Page* next;
  Page* before;
  Slab* slab;
  Free* free;          // list of freed blocks
  char* fresh;         // start of the blocks that were never used
  std::uint32_t step;  // the block size in units of kStep
  std::uint32_t in_use;

  std::size_t block_bytes() const { return step * kStep; }
  bool is_full() const {
    return free == nullptr &&
           fresh + block_bytes() > reinterpret_cast<const char*>(this) + kPageBytes;
  }
};

struct SmallBlocks::Slab {
  Slab* next;
  Slab* before;
  char* memory;
  Page* empty;        // list of empty pages
  std::size_t fresh;  // the number of pages that were ever used
  std::size_t in_use;
};

SmallBlocks::~SmallBlocks() {
  while (roomy_ != nullptr) {
    Slab* slab = roomy_;
    unlink(roomy_, slab);
    release(slab);
  }
  while (full_ != nullptr) {
    Slab* slab = full_;
    unlink(full_, slab);
    release(slab);
  }
}

void SmallBlocks::release(Slab* slab) {
  std::free(slab->memory);
  delete slab;
  --slabs_;
}

bool SmallBlocks::add_slab() {
  auto* memory = static_cast<char*>(std::aligned_alloc(kPageBytes, kSlabBytes));
  Slab* slab = memory != nullptr ? new (std::nothrow) Slab{nullptr, nullptr, memory, nullptr, 0, 0}
                                 : nullptr;
  if (slab == nullptr) {
    std::free(memory);
    return false;
  }
  ++slabs_;
  link(roomy_, slab);
  return true;
}

/// Prepares an empty page for blocks of `step` * kStep bytes. Returns nullptr if there is no empty
/// page.
SmallBlocks::Page* SmallBlocks::open_page(std::size_t step) {
  Slab* slab = roomy_;
  if (slab == nullptr) return nullptr;
  Page* page = slab->empty;
  if (page != nullptr) {
    slab->empty = page->next;
  } else {
    page = reinterpret_cast<Page*>(slab->memory + slab->fresh++ * kPageBytes);
  }
  if (++slab->in_use == kPages) {
    unlink(roomy_, slab);
    link(full_, slab);
  }
  char* fresh = reinterpret_cast<char*>(page) + sizeof(Page);
  *page = Page{nullptr, nullptr, slab, nullptr, fresh, static_cast<std::uint32_t>(step), 0};
  link(open_[step], page);
  return page;
}

/// Returns an empty page to its slab. Frees the slab if it is empty and another slab has empty
/// pages.
void SmallBlocks::close_page(Page* page) {
  unlink(open_[page->step], page);
  Slab* slab = page->slab;
  page->next = slab->empty;
  slab->empty = page;
  if (slab->in_use-- == kPages) {
    unlink(full_, slab);
    link(roomy_, slab);
  }
  if (slab->in_use > 0 || (roomy_ == slab && slab->next == nullptr)) return;
  unlink(roomy_, slab);
  release(slab);
}

void* SmallBlocks::take(std::size_t size) {
  const std::size_t step = (size + kStep - 1) / kStep;
  Page* page = open_[step];
  if (page == nullptr) page = open_page(step);
  if (page == nullptr) return nullptr;
  void* block = page->free;
  if (block != nullptr) {
    page->free = page->free->next;
  } else {
    block = page->fresh;
    page->fresh += page->block_bytes();
  }
  ++page->in_use;
  if (page->is_full()) unlink(open_[step], page);
  return block;
}

void SmallBlocks::give_back(void* block) {
  auto* page = static_cast<Page*>(page_start(block));
  if (page->is_full()) link(open_[page->step], page);
  page->free = new (block) Free{page->free};
  if (--page->in_use == 0) close_page(page);
}

bool SmallBlocks::fits(const void* block, std::size_t size) {
  return static_cast<const Page*>(page_start(block))->step == (size + kStep - 1) / kStep;
}

}  // namespace moonlet
