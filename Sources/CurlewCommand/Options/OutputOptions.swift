#if Tools
    import ArgumentParser
    import Curlew

    /// How a message that came is written, byte by byte as mosquitto's commands do it.
    struct OutputOptions: ParsableArguments {
        @Flag(name: [.customShort("v"), .customLong("verbose")], help: "Write the topic before each message.")
        var isVerbose = false

        @Flag(name: .customShort("N"), help: "Write no end of line after each message.")
        var omitsEndOfLine = false

        /// Appends what stands for a message.
        func write(_ message: MQTTMessage, to bytes: inout [UInt8]) {
            message.write(to: &bytes, withTopic: self.isVerbose, withEnd: !self.omitsEndOfLine)
        }
    }

    extension MQTTMessage {
        /// Appends topic, payload and end of line. An empty message shows only with its topic, as `(null)`, and not at all
        /// without an end of line.
        func write(to bytes: inout [UInt8], withTopic: Bool, withEnd: Bool) {
            guard self.byteCount > 0 || withTopic && withEnd else { return }
            if withTopic {
                bytes.append(contentsOf: self.topic.string.utf8)
                bytes.append(UInt8(ascii: " "))
            }
            if self.byteCount > 0 {
                self.withPayload { bytes.append(contentsOf: $0) }
            } else {
                bytes.append(contentsOf: "(null)".utf8)
            }
            if withEnd { bytes.append(UInt8(ascii: "\n")) }
        }
    }
#endif
