#include "organon/app/verb_chain.h"

#include <fmt/format.h>

#include <algorithm>

#include "organon/base/check.h"

namespace organon::app {
namespace {

const OptionTable::Option* find_option(const OptionTable& table, const std::string& name) {
  const auto& options = table.options();
  const auto found =
      std::find_if(options.begin(), options.end(), [&](const auto& option) { return option.name == name; });
  return found == options.end() ? nullptr : &*found;
}

std::string text_of(const OptionTable::Option& option) {
  std::string text = option.info.help;
  if (!option.info.choices.empty()) text += fmt::format(" ({})", fmt::join(option.info.choices, ", "));
  text += fmt::format(" [{}{}]", option.default_text.empty() ? "none" : option.default_text,
                      option.info.unit.empty() ? "" : " " + option.info.unit);
  return text;
}

}  // namespace

std::string flag_of(std::string name) {
  std::replace(name.begin(), name.end(), '_', '-');
  return "--" + name;
}

std::vector<VerbChain> ways_of(const StageVerb& verb) {
  std::vector<VerbChain> ways = {{"", verb.summary, verb.explanation, verb.example, {{verb.name}}}};
  ways.insert(ways.end(), verb.chains.begin(), verb.chains.end());
  return ways;
}

ChainOptions::ChainOptions(const VerbChain& chain) : links_(chain.links) {
  for (const ChainLink& link : links_) {
    bound_.push_back(stage_verb(link.verb).options());
    for (OptionTable::Option option : bound_.back().table.options()) {
      const auto renamed = link.renamed.find(option.name);
      if (renamed != link.renamed.end()) option.name = renamed->second;
      ORGANON_CHECK(find_option(table_, option.name) == nullptr);
      table_.add(std::move(option));
    }
  }
}

std::vector<blockwise::StageDescription> ChainOptions::stages(
    const blockwise::StageDescription& asked) const {
  std::vector<blockwise::StageDescription> stages;
  for (std::size_t i = 0; i < links_.size(); ++i) {
    blockwise::StageDescription stage = asked;
    stage.verb = links_[i].verb;
    stage.options_json = bound_[i].table.to_json();
    if (i > 0) {
      stage.inputs = stages.back().outputs;
      stage.box_nm.clear();
    }
    for (std::string& output : stage.outputs) {
      if (links_[i].suffix.empty()) continue;
      while (output.ends_with('/')) output.pop_back();
      output += links_[i].suffix;
    }
    stages.push_back(std::move(stage));
  }
  return stages;
}

std::string name_of_way(const std::vector<VerbChain>& ways, std::size_t way) {
  if (!ways[way].flag.empty()) return "with --" + ways[way].flag;
  std::vector<std::string> flags;
  for (const VerbChain& other : ways)
    if (!other.flag.empty()) flags.push_back("--" + other.flag);
  return fmt::format("without {}", fmt::join(flags, ", "));
}

std::vector<OptionHelp> option_help(const std::vector<VerbChain>& ways,
                                    const std::vector<ChainOptions>& options) {
  std::vector<OptionHelp> all;
  for (const ChainOptions& of_way : options) {
    for (const OptionTable::Option& option : of_way.table().options()) {
      if (std::any_of(all.begin(), all.end(), [&](const auto& help) { return help.name == option.name; }))
        continue;
      OptionHelp help{option.name, text_of(option), option.info.unit, {}};
      bool is_one_text = true;
      std::vector<std::string> texts;
      for (std::size_t way = 0; way < ways.size(); ++way) {
        const OptionTable::Option* here = find_option(options[way].table(), option.name);
        help.is_in_way.push_back(here != nullptr);
        if (here == nullptr) continue;
        is_one_text = is_one_text && text_of(*here) == help.text;
        if (here->info.unit != help.unit) help.unit.clear();
        texts.push_back(name_of_way(ways, way) + ": " + text_of(*here));
      }
      if (!is_one_text) help.text = fmt::format("{}", fmt::join(texts, "; "));
      all.push_back(std::move(help));
    }
  }
  return all;
}

}  // namespace organon::app
