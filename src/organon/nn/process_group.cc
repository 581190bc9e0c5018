#include "organon/nn/process_group.h"

#include <fmt/format.h>

#include <chrono>
#include <cstdlib>

#include "organon/base/error.h"
#include "organon/nn/torch_distributed.h"

namespace organon::nn {

#ifdef ORGANON_WITH_GLOO

namespace {

// Interfaces of clusters are named by the variable that PyTorch's users set.
auto make_device(const ProcessGroupOptions& options) {
  if (options.is_one_machine) return c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1");
  const char* interface = std::getenv("GLOO_SOCKET_IFNAME");
  return interface != nullptr ? c10d::ProcessGroupGloo::createDeviceForInterface(interface)
                              : c10d::ProcessGroupGloo::createDefaultDevice();
}

}  // namespace

struct ProcessGroup::Impl {
  explicit Impl(const ProcessGroupOptions& given) : options(given) {
    run("to find the others", [&] {
      const auto timeout = std::chrono::milliseconds(static_cast<std::int64_t>(options.timeout_s * 1000));
      auto store = c10::make_intrusive<c10d::FileStore>(options.meeting_file.string(), options.size);
      store->setTimeout(timeout);
      auto gloo = c10d::ProcessGroupGloo::Options::create(timeout);
      gloo->devices.push_back(make_device(options));
      gloo->threads = 1;
      group = c10::make_intrusive<c10d::ProcessGroupGloo>(store, options.rank, options.size, gloo);
    });
  }

  // What libtorch throws, as what it means.
  template <class Work>
  void run(const char* what, const Work& work) {
    try {
      work();
    } catch (const std::exception& error) {
      const std::string text = error.what();
      throw Error(ErrorKind::kIo, fmt::format("rank {} of {} waited in vain {}: {}", options.rank,
                                              options.size, what, text.substr(0, text.find('\n'))));
    }
  }

  template <class T>
  void sum(std::span<T> values, torch::ScalarType type) {
    run("for a sum with the others", [&] {
      std::vector<torch::Tensor> tensors = {
          torch::from_blob(values.data(), {static_cast<std::int64_t>(values.size())}, type)};
      group->allreduce(tensors)->wait();
    });
  }

  ProcessGroupOptions options;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> group;
};

bool ProcessGroup::is_available() { return true; }
ProcessGroup::ProcessGroup(const ProcessGroupOptions& options) : impl_(std::make_unique<Impl>(options)) {}
void ProcessGroup::sum(std::span<std::int64_t> values) { impl_->sum(values, torch::kInt64); }
void ProcessGroup::sum(std::span<float> values) { impl_->sum(values, torch::kFloat32); }

#else

struct ProcessGroup::Impl {
  ProcessGroupOptions options;
};

bool ProcessGroup::is_available() { return false; }
ProcessGroup::ProcessGroup(const ProcessGroupOptions&) {
  throw Error(ErrorKind::kUnsupported,
              "several processes: this organon was built without the headers of gloo (Debian: libgloo-dev)");
}
void ProcessGroup::sum(std::span<std::int64_t>) {}
void ProcessGroup::sum(std::span<float>) {}

#endif

ProcessGroup::~ProcessGroup() = default;
int ProcessGroup::rank() const { return impl_->options.rank; }
int ProcessGroup::size() const { return impl_->options.size; }

std::vector<std::int64_t> ProcessGroup::gather(std::int64_t value) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(size()), 0);
  values[static_cast<std::size_t>(rank())] = value;
  sum(values);
  return values;
}

}  // namespace organon::nn
