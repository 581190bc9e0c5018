#include "organon/blockwise/stage.h"

namespace organon::blockwise {

std::string title_of(const StageDescription& description) {
  const auto path = storage::parse_address(description.outputs.front()).path;
  return description.verb + " " + path.stem().string();
}

void Stage::stand_in_for_outputs() const {
  for (const StepPlan& plan : plans()) {
    for (const OutputDataset& output : plan.outputs) {
      if (!output.address.empty()) storage::create_dataset(output.address, output.spec);
    }
  }
}

}  // namespace organon::blockwise
