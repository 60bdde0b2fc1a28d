#if Tools
#if canImport(Darwin)
import Darwin
#elseif canImport(Musl)
import Musl
#else
import Glibc
#endif

/// A line that a person types without its being shown.
struct HiddenInput {
    /// How a line ended otherwise than by Return.
    enum Interruption: Error, Equatable {
        /// The person has pressed Ctrl-C, or has gone.
        case abandoned
        case failed(SystemError)
    }

    private let terminal: Descriptor

    init(_ terminal: Descriptor) { self.terminal = terminal }

    /// Reads a line, without its end. Keys are taken one by one, Ctrl-C among them: a signal would end the process and leave the
    /// terminal silent.
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

    /// What has been typed so far, with the keys that correct it.
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

        /// A character is a byte of UTF-8 that begins one, and those that continue it.
        private mutating func eraseCharacter() {
            while let last = self.bytes.popLast(), last & 0xC0 == 0x80 {}
        }
    }
}
#endif
