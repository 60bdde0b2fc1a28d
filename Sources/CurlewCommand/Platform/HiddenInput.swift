#if Tools
#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// Reads a line from a terminal without echoing it.
struct HiddenInput {
    /// Why no line was read.
    enum Interruption: Error, Equatable {
        /// Ctrl-C was pressed, or the terminal was closed.
        case abandoned
        case failed(SystemError)
    }

    private let terminal: Descriptor

    init(_ terminal: Descriptor) { self.terminal = terminal }

    /// Reads a line, without its line break. Ctrl-C is read as a key: as a signal, it would end the process and leave
    /// the terminal without echo.
    func readLine() throws(Interruption) -> [UInt8] {
        var usual = termios()
        guard tcgetattr(self.terminal.number, &usual) == 0 else { throw .failed(.last) }
        var hidden = usual
        hidden.c_lflag &= ~tcflag_t(ECHO | ECHONL | ICANON | ISIG)
        guard tcsetattr(self.terminal.number, TCSAFLUSH, &hidden) == 0 else { throw .failed(.last) }
        defer { tcsetattr(self.terminal.number, TCSAFLUSH, &usual) }
        var line = Line()
        while true {
            let keys: [UInt8]
            do throws(SystemError) { keys = try self.terminal.readSome(1) } catch { throw .failed(error) }
            guard let key = keys.first else { throw .abandoned }
            switch line.take(key) {
            case .goOn: continue
            case .done: return line.bytes
            case .abandoned: throw .abandoned
            }
        }
    }

    /// The line typed so far, and the keys that edit it.
    struct Line: Equatable {
        enum Step: Equatable {
            case goOn, done, abandoned
        }

        private(set) var bytes: [UInt8] = []

        mutating func take(_ key: UInt8) -> Step {
            switch key {
            case 0x0A, 0x0D: return .done
            case 0x03: return .abandoned  // Ctrl-C
            case 0x04: return self.bytes.isEmpty ? .abandoned : .done  // Ctrl-D
            case 0x15: self.bytes = []  // Ctrl-U
            case 0x08, 0x7F: self.eraseCharacter()
            default: self.bytes.append(key)
            }
            return .goOn
        }

        /// Removes the last UTF-8 character: its first byte and the continuation bytes.
        private mutating func eraseCharacter() {
            while let last = self.bytes.popLast(), last & 0xC0 == 0x80 {}
        }
    }
}
#endif
