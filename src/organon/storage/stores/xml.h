#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace organon::storage {

/// An element without its attributes, as the answers of S3 need no more. Names are as written.
struct XmlElement {
  std::string name;
  std::string text;  ///< of this element, without that of its children
  std::vector<XmlElement> children;

  /// The first child of that name, or null.
  const XmlElement* child(std::string_view child_name) const;
  /// Its text; empty where there is none.
  std::string child_text(std::string_view child_name) const;
};

/// The root of a document: elements, text, CDATA, comments, a declaration, the five entities of XML and
/// characters by number. Errors: kCorruptData for everything else, document types and processing instructions
/// among them, and for elements nested deeper than 32. Cost: memory in proportion to `xml`, about 40 times at
/// worst.
XmlElement parse_xml(std::string_view xml);

}  // namespace organon::storage
