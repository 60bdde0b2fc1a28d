import NIOCore

/// How a peer's bytes are cut into reads.
struct Cutting {
    static let whole = Self(sizes: .all, runsBetween: true)

    private enum Sizes {
        case all
        /// One byte each; the later ones in larger pieces, because they take too long.
        case bytes
        /// Each piece has as many bytes as the value of its first byte, and one.
        case fromBytes
        case fixed(Int)
    }

    private static let mostSingleBytes = 2048

    private let sizes: Sizes
    /// Whether the event loop runs its tasks between the reads, or only after the last one.
    let runsBetween: Bool

    private init(sizes: Sizes, runsBetween: Bool) {
        self.sizes = sizes
        self.runsBetween = runsBetween
    }

    init(_ choice: UInt8) {
        self.runsBetween = choice & 0x80 == 0
        switch choice & 0x7F {
        case 0: self.sizes = .bytes
        case 1: self.sizes = .fromBytes
        case let size: self.sizes = .fixed(Int(size))
        }
    }

    func pieces(of bytes: ByteBuffer) -> [ByteBuffer] {
        var (rest, pieces) = (bytes, [ByteBuffer]())
        while let first = rest.readableBytesView.first {
            let size =
                switch self.sizes {
                case .all: rest.readableBytes
                case .bytes: pieces.count < Self.mostSingleBytes ? 1 : 1024
                case .fromBytes: 1 + Int(first)
                case .fixed(let size): size
                }
            guard let piece = rest.readSlice(length: min(size, rest.readableBytes)) else { break }
            pieces.append(piece)
        }
        return pieces
    }
}
