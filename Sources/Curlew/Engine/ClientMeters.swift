import CoreMetrics

/// The client's counters for swift-metrics. Updated once per read or write, not per message.
struct ClientMeters: Sendable {
    let connections = Counter(label: "mqtt_client_connections_total")
    let published = Counter(label: "mqtt_client_messages_published_total")
    let received = Counter(label: "mqtt_client_messages_received_total")
    let dropped = Counter(label: "mqtt_client_messages_dropped_total")
}
