#include "slot_folder.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>

#include "eclip/table_generated.h"

namespace eclip::order {

namespace {

constexpr uint16_t compute_units = 60;
constexpr size_t stats_bytes = ECLIP_STATS_HEADER_BYTES + size_t{ECLIP_CLIENTS} * ECLIP_CLIENT_BYTES;

std::runtime_error refused(const std::string &path) { return std::runtime_error(path + ": cannot be written"); }

// Beside its place first: whoever sees a table finds the whole of it.
void write_whole(const std::string &path, const void *bytes, size_t size) {
  const std::string unfinished = path + ".new";
  const int file = open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  const bool written = file >= 0 && write(file, bytes, size) == static_cast<ssize_t>(size);
  if (file >= 0) {
    close(file);
  }
  if (!written || rename(unfinished.c_str(), path.c_str()) != 0) {
    throw refused(path);
  }
}

std::vector<wire::Group> groups_of(const PlannedModel &model, int variant) {
  std::vector<wire::Group> groups;
  for (uint32_t at = 0; at < model.kernels.size(); ++at) {
    groups.emplace_back(at, at, model.kernels[at].choices[variant]);
  }
  return groups;
}

flatbuffers::DetachedBuffer encode(const Table &table) {
  flatbuffers::FlatBufferBuilder builder;
  std::vector<flatbuffers::Offset<wire::MaskedStream>> streams;
  for (int set = 0; set < table.sets; ++set) {
    const std::vector<uint32_t> cus{mask_of(set), 0};
    streams.push_back(wire::CreateMaskedStream(builder, 4, builder.CreateVector(cus)));
  }
  std::vector<std::string> symbols;
  for (int kernel = 0; kernel < 8; ++kernel) {
    symbols.push_back("k" + std::to_string(kernel));
  }
  std::vector<flatbuffers::Offset<wire::Model>> models;
  for (const PlannedModel &model : table.models) {
    std::vector<wire::Kernel> kernels;
    for (const PlannedKernel &kernel : model.kernels) {
      kernels.emplace_back(kernel.kernel, 1 + kernel.shape, 1, 1, 64, 1, 1, kernel.stream);
    }
    const std::vector<uint8_t> kinds(model.kinds.begin(), model.kinds.end());
    models.push_back(wire::CreateModel(builder, builder.CreateString("model"), builder.CreateVectorOfStrings(symbols),
                                       builder.CreateVector(kinds), builder.CreateVectorOfStructs(kernels)));
  }
  std::vector<flatbuffers::Offset<wire::Variant>> variants;
  for (int variant = 0; variant < 2; ++variant) {
    std::vector<flatbuffers::Offset<wire::Choice>> choices;
    for (const PlannedModel &model : table.models) {
      choices.push_back(wire::CreateChoice(builder, builder.CreateVectorOfStructs(groups_of(model, variant))));
    }
    variants.push_back(wire::CreateVariant(builder, static_cast<uint64_t>(variant), builder.CreateVector(choices)));
  }
  const auto product = builder.CreateString("MI50");
  const auto all_streams = builder.CreateVector(streams);
  const auto all_models = builder.CreateVector(models);
  builder.Finish(wire::CreateLookupTable(builder, 1, product, compute_units, all_streams, all_models,
                                         builder.CreateVector(variants)),
                 wire::LookupTableIdentifier());
  return builder.Release();
}

}  // namespace

SlotFolder::SlotFolder(std::string path) : path_(std::move(path)) {
  std::filesystem::create_directories(path_ + "/config");
  const std::string control = path_ + "/config/control";
  const int file = open(control.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  void *page = MAP_FAILED;
  if (file >= 0 && ftruncate(file, ECLIP_CONTROL_BYTES) == 0) {
    page = mmap(nullptr, ECLIP_CONTROL_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  }
  if (file >= 0) {
    close(file);
  }
  if (page == MAP_FAILED) {
    throw refused(control);
  }
  control_ = static_cast<eclip_control *>(page);
  control_->magic = ECLIP_CONTROL_MAGIC;
  control_->version = ECLIP_SLOT_VERSION;
  const eclip_stats_header header{ECLIP_STATS_MAGIC, ECLIP_SLOT_VERSION, ECLIP_CLIENTS, ECLIP_CLIENT_BYTES};
  write_whole(path_ + "/stats", &header, sizeof header);
  std::filesystem::resize_file(path_ + "/stats", stats_bytes);
}

SlotFolder::~SlotFolder() {
  munmap(control_, ECLIP_CONTROL_BYTES);
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void SlotFolder::clear() {
  withdraw();
  set_active(0);
  last_ = 0;
}

void SlotFolder::publish(const Table &table) {
  const auto bytes = encode(table);
  write_whole(path_ + "/config/table." + std::to_string(++last_), bytes.data(), bytes.size());
  __atomic_store_n(&control_->generation, last_, __ATOMIC_RELEASE);
}

void SlotFolder::withdraw() { __atomic_store_n(&control_->generation, uint64_t{0}, __ATOMIC_RELEASE); }

void SlotFolder::set_active(uint64_t bits) { __atomic_store_n(&control_->active, bits, __ATOMIC_RELAXED); }

}  // namespace eclip::order
