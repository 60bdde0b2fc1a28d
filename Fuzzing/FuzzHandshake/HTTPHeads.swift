import NIOCore

/// The maximum size of the head of an HTTP message.
let maximumHeadSize = 16 << 10

extension ByteBufferView {
    /// The number of bytes up to the first empty line, and including it; `nil` if there is none.
    var sizeOfHead: Int? {
        var rest = self
        while let index = rest.firstIndex(of: UInt8(ascii: "\r")) {
            rest = rest[index...]
            if rest.starts(with: "\r\n\r\n".utf8) { return index + 4 - self.startIndex }
            rest = rest.dropFirst()
        }
        return nil
    }

    /// The size of a server's answer, together with the interim responses before it; `nil` if it is not complete.
    var sizeOfAnswer: Int? {
        guard let size = self.sizeOfHead else { return nil }
        let status = self.dropFirst("HTTP/1.1 ".utf8.count)
        guard status.starts(with: "1".utf8), !status.starts(with: "101".utf8) else { return size }
        return self.dropFirst(size).sizeOfAnswer.map { size + $0 }
    }

    /// Whether a client needs no more bytes to decide: the answer is complete or too long, or not one of HTTP.
    var decidesRequest: Bool {
        self.sizeOfAnswer != nil || self.count > maximumHeadSize || !self.starts(with: "HTTP/".utf8.prefix(self.count))
    }
}
