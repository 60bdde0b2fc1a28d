#if AWS
import CurlewCore
import Crypto

/// A request to sign with AWS Signature Version 4.
package struct SigV4Request: Sendable {
    /// A header field that the signature covers.
    package struct Header: Sendable {
        package var name: String
        package var value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    package var method: String
    /// Path and query, as they are sent.
    package var target: String
    /// The header fields that the signature covers, among them `Host`.
    package var headers: [Header]
    package var body: [UInt8]

    package init(method: String = "GET", target: String, headers: [Header], body: [UInt8] = []) {
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
    }

    /// The names of the header fields for `SignedHeaders`.
    package var signedHeaders: String { self.canonicalHeaders.map(\.name).joined(separator: ";") }

    /// The canonical form of the request. It does not change if a proxy reorders the query or trims white space.
    package var canonicalText: String {
        let (path, query) = SigV4Query.split(self.target)
        let headers = self.canonicalHeaders
        return
            ([self.method, Self.canonicalPath(path), query.canonicalText]
            + headers.map { "\($0.name):\($0.value)" }
            + ["", headers.map(\.name).joined(separator: ";"), SHA256.hash(data: self.body).hexadecimal])
            .joined(separator: "\n")
    }

    /// The path without `.`, `..` and empty segments, and percent-encoded, which is the second time for one that already
    /// is: all services but S3 expect that.
    private static func canonicalPath(_ path: String) -> String {
        var segments: [Substring.UTF8View] = []
        for segment in path.utf8.split(separator: UInt8(ascii: "/")) where !segment.elementsEqual(".".utf8) {
            if segment.elementsEqual("..".utf8) { _ = segments.popLast() } else { segments.append(segment) }
        }
        let isFolder = !segments.isEmpty && path.utf8.last == UInt8(ascii: "/")
        return "/" + segments.map { $0.percentEncoded() }.joined(separator: "/") + (isFolder ? "/" : "")
    }

    /// The fields by name in lower case, sorted. Values of fields with the same name stay in their order.
    private var canonicalHeaders: [Header] {
        var names: [String] = []
        var values: [String: [String]] = [:]
        for header in self.headers {
            let name = header.name.lowercased()
            if values[name] == nil { names.append(name) }
            let words = header.value.utf8.split { $0 == 0x20 || (0x09...0x0D).contains($0) }
            values[name, default: []].append(words.map { String(Substring($0)) }.joined(separator: " "))
        }
        return names.sorted().map { Header($0, values[$0, default: []].joined(separator: ",")) }
    }
}

extension Sequence<UInt8> {
    /// Two digits for each byte, in lower case.
    var hexadecimal: String {
        var text = ""
        for byte in self { text += (byte < 16 ? "0" : "") + String(byte, radix: 16) }
        return text
    }
}
#endif
