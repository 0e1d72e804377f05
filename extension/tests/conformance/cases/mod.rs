//! The list of all cases. Each checks only one promise, so that a proxy that breaks one promise
//! fails one case.

mod answers;
mod apis;
mod bodies;
mod connections;
mod headers;
mod next;
mod streams;

use crate::suite::Case;

macro_rules! cases {
    ($($file:ident: $($name:ident)*;)*) => {
        pub const CASES: &[Case] = &[$($(Case { name: stringify!($name), run: |stage| Box::pin($file::$name(stage)) }),*),*];
    };
}

cases! {
    bodies: large_event large_response json_is_not_written_again body_that_is_not_json body_that_is_not_utf_8 empty_bodies
        event_of_2048_bytes_keeps_its_length event_of_2049_bytes_stays_chunked response_keeps_its_length
        chunked_response_without_streaming_mode every_byte_both_ways;
    streams: stream_of_24_mb head_of_a_stream_goes_ahead chunks_are_not_held_back pieces_of_an_event_are_not_held_back trailers_arrive
        dying_runtime_is_seen_by_its_missing_chunk dying_runtime_is_seen_by_its_length broken_event_is_seen_as_broken
        unread_stream_is_not_collected refusal_before_the_streams_end;
    answers: accepted_202 refused_400 refused_403 too_large_413 failed_500 next_refused_403 next_failed_500 answer_without_body_204
        answer_that_ends_with_its_connection;
    headers: mebibyte_of_error_cause headers_of_next_that_are_known tenant_and_unknown_headers_of_next repeated_headers
        case_of_an_events_headers case_of_a_requests_headers order_of_headers user_agent header_bytes_above_127 header_of_64_kib_on_next
        headers_by_the_hundred streaming_mode_and_content_type;
    next: cancelled_next_swallows_no_event long_next deadline_in_the_past deadline_an_hour_ahead sixteen_pollers
        sixteen_waiting_at_once;
    connections: platform_connections_are_kept runtime_connection_is_kept dropped_connections_are_replaced dropped_while_frozen
        close_of_the_runtime connection_said_to_close_is_not_used_again close_of_the_platform pipelined_requests expect_continue
        expect_refused head_byte_by_byte;
    apis: invocation_error init_error restore_next restore_error register_internal_extension internal_extensions_events
        internal_extensions_errors telemetry_subscription unknown_paths query_and_escapes unknown_methods head_request;
}
