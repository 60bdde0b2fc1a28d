#if AWS
import CurlewCore

/// The query of a request target, for AWS Signature Version 4.
struct SigV4Query {
    struct Item {
        /// The item as it is in the request.
        let text: String
        /// The name in canonical form: each byte but the unreserved characters is percent-encoded.
        let name: String
        /// The value in canonical form.
        let value: String

        /// An item that is not yet encoded.
        init(_ name: String, _ value: String) {
            self.name = name.utf8.percentEncoded()
            self.value = value.utf8.percentEncoded()
            self.text = "\(self.name)=\(self.value)"
        }

        fileprivate init(parsing text: Substring) {
            let parts = text.utf8.split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            self.text = String(text)
            self.name = Self.canonical(parts.first)
            self.value = parts.count == 2 ? Self.canonical(parts[1]) : ""
        }

        /// A `%` that begins no percent-encoding counts as a character.
        private static func canonical(_ text: Substring.UTF8View?) -> String {
            let text = text.map { String(Substring($0)) } ?? ""
            return (text.percentDecodedBytes ?? Array(text.utf8)).percentEncoded()
        }
    }

    var items: [Item]

    /// Splits a request target at its `?`.
    static func split(_ target: String) -> (path: String, query: Self) {
        let parts = target.utf8.split(separator: UInt8(ascii: "?"), maxSplits: 1, omittingEmptySubsequences: false)
        let query = parts.count == 2 ? parts[1].split(separator: UInt8(ascii: "&")) : []
        return (
            parts.first.map { String(Substring($0)) } ?? "",
            Self(items: query.map { Item(parsing: Substring($0)) })
        )
    }

    /// The query as it is in the request.
    var text: String { self.items.map(\.text).joined(separator: "&") }

    /// The query in canonical form: sorted by name, then by value.
    var canonicalText: String {
        self.items.sorted { ($0.name, $0.value) < ($1.name, $1.value) }
            .map { "\($0.name)=\($0.value)" }.joined(separator: "&")
    }
}
#endif
