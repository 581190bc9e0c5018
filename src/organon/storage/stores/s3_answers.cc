#include "organon/storage/stores/s3_answers.h"

#include <fmt/format.h>

#include "organon/base/error.h"
#include "organon/storage/stores/xml.h"

namespace organon::storage {

S3Error parse_s3_error(std::string_view body) {
  try {
    const XmlElement root = parse_xml(body);
    if (root.name == "Error")
      return {root.child_text("Code"), root.child_text("Message"), root.child_text("Region")};
  } catch (const Error&) {
    // Proxies answer with pages of their own.
  }
  return {};
}

S3Page parse_s3_page(std::string_view body) {
  const XmlElement root = parse_xml(body);
  if (root.name != "ListBucketResult") {
    throw Error(ErrorKind::kCorruptData,
                fmt::format("expected a ListBucketResult of S3, found <{}>", root.name.substr(0, 40)));
  }
  const auto required = [](const XmlElement& element, std::string_view name) {
    const XmlElement* const child = element.child(name);
    if (child == nullptr || child->text.empty())
      throw Error(ErrorKind::kCorruptData, fmt::format("list of S3: <{}> without <{}>", element.name, name));
    return child->text;
  };
  S3Page page;
  for (const XmlElement& element : root.children) {
    if (element.name == "Contents") page.keys.push_back(required(element, "Key"));
    if (element.name == "CommonPrefixes") page.folders.push_back(required(element, "Prefix"));
  }
  if (root.child_text("IsTruncated") == "true") page.next_token = required(root, "NextContinuationToken");
  return page;
}

}  // namespace organon::storage
