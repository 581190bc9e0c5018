#include "organon/storage/stores/xml.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>

#include "organon/base/error.h"

namespace organon::storage {
namespace {

constexpr int kMaxDepth = 32;

constexpr std::pair<std::string_view, char> kEntities[] = {
    {"amp", '&'}, {"lt", '<'}, {"gt", '>'}, {"quot", '"'}, {"apos", '\''}};

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == '.' || c == ':' || static_cast<unsigned char>(c) >= 0x80;
}

void append_utf8(std::uint32_t code, std::string& text) {
  const auto put = [&](std::uint32_t byte) { text += static_cast<char>(byte); };
  const auto put_rest = [&](int shift) { put(0x80 | ((code >> shift) & 0x3f)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put_rest(0);
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put_rest(6);
    put_rest(0);
  } else {
    put(0xf0 | code >> 18);
    put_rest(12);
    put_rest(6);
    put_rest(0);
  }
}

class Parser {
 public:
  explicit Parser(std::string_view xml) : xml_(xml) {}

  XmlElement parse() {
    take("\xef\xbb\xbf");
    if (take("<?xml")) skip_past("?>");
    skip_between_elements();
    XmlElement root = parse_element(1);
    skip_between_elements();
    if (position_ != xml_.size()) fail("more after the root element");
    return root;
  }

 private:
  [[noreturn]] void fail(std::string_view reason) const {
    throw Error(ErrorKind::kCorruptData, fmt::format("XML, byte {}: {}", position_, reason));
  }
  std::string_view rest() const { return xml_.substr(position_); }
  char next() const {
    if (position_ >= xml_.size()) fail("it ends too early");
    return xml_[position_];
  }
  bool take(std::string_view text) {
    if (!rest().starts_with(text)) return false;
    position_ += text.size();
    return true;
  }
  void expect(std::string_view text) {
    if (!take(text)) fail(fmt::format("expected '{}'", text));
  }
  // What lies before `end`, which is passed.
  std::string_view skip_past(std::string_view end) {
    const std::size_t found = xml_.find(end, position_);
    if (found == std::string_view::npos) fail(fmt::format("no '{}' to the end", end));
    const std::string_view skipped = xml_.substr(position_, found - position_);
    position_ = found + end.size();
    return skipped;
  }
  void skip_spaces() {
    while (position_ < xml_.size() && is_space(xml_[position_])) ++position_;
  }
  void skip_between_elements() {
    skip_spaces();
    while (take("<!--")) {
      skip_past("-->");
      skip_spaces();
    }
  }
  std::string_view parse_name() {
    const std::size_t begin = position_;
    while (is_name_character(next())) ++position_;
    if (position_ == begin) fail("expected a name");
    return xml_.substr(begin, position_ - begin);
  }

  // Whether the element has content.
  bool skip_attributes() {
    while (true) {
      const bool is_apart = is_space(next());
      skip_spaces();
      if (take("/>")) return false;
      if (take(">")) return true;
      if (!is_apart) fail("expected a space before an attribute");
      parse_name();
      skip_spaces();
      expect("=");
      skip_spaces();
      const char quote = next();
      if (quote != '"' && quote != '\'') fail("expected a quoted value");
      ++position_;
      if (skip_past(std::string_view(&quote, 1)).find('<') != std::string_view::npos) fail("'<' in a value");
    }
  }

  void parse_reference(std::string& text) {
    const std::string_view name = skip_past(";");
    for (const auto& [entity, character] : kEntities) {
      if (name == entity) {
        text += character;
        return;
      }
    }
    if (!name.starts_with('#')) fail(fmt::format("unknown entity &{};", name.substr(0, 20)));
    const int base = name.starts_with("#x") ? 16 : 10;
    const std::string_view digits = name.substr(base == 16 ? 2 : 1);
    std::uint32_t code = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), code, base);
    const bool is_surrogate = code >= 0xd800 && code < 0xe000;
    if (error != std::errc() || end != digits.data() + digits.size() || code == 0 || code > 0x10ffff ||
        is_surrogate)
      fail("a reference to no character");
    append_utf8(code, text);
  }

  XmlElement parse_element(int depth) {
    if (depth > kMaxDepth) fail(fmt::format("elements nested deeper than {}", kMaxDepth));
    expect("<");
    XmlElement element;
    element.name = parse_name();
    if (!skip_attributes()) return element;
    while (true) {
      if (take("</")) {
        if (parse_name() != element.name) fail(fmt::format("expected the end of {}", element.name));
        skip_spaces();
        expect(">");
        return element;
      }
      if (take("<!--")) {
        skip_past("-->");
      } else if (take("<![CDATA[")) {
        element.text += skip_past("]]>");
      } else if (next() == '<') {
        element.children.push_back(parse_element(depth + 1));
      } else if (take("&")) {
        parse_reference(element.text);
      } else {
        const std::size_t end = std::min(xml_.find_first_of("<&", position_), xml_.size());
        element.text += xml_.substr(position_, end - position_);
        position_ = end;
      }
    }
  }

  std::string_view xml_;
  std::size_t position_ = 0;
};

}  // namespace

const XmlElement* XmlElement::child(std::string_view child_name) const {
  for (const XmlElement& element : children) {
    if (element.name == child_name) return &element;
  }
  return nullptr;
}

std::string XmlElement::child_text(std::string_view child_name) const {
  const XmlElement* const found = child(child_name);
  return found == nullptr ? std::string() : found->text;
}

XmlElement parse_xml(std::string_view xml) { return Parser(xml).parse(); }

}  // namespace organon::storage
