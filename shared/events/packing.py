"""Payloads and bodies as the table keeps them: compressed, because DynamoDB charges by the KB.

A kilobyte of JSON becomes a third of one. The small ones would gain little by themselves: what they
repeat is mostly what others say too, so they are compressed against a dictionary of that.
"""

import zlib

# The first byte says with which dictionary the rest was made. One that was ever used must stay; a
# better one gets the next number.
_CURRENT = 1
_DICTIONARIES = {
    # What is told most often stands last, where references to it are shortest.
    1: b'"passthrough_params":{"event_data1":"pii_email":"pii_phone":"conversion_time":'
    b'"custom_event":{"custom_event_id":"event_number":"conversion":{"conversion_id":"transaction":'
    b'"revenue":"conversion_timestamp":"nodes_path":"page_group_id":"page_id":"time_on_page":'
    b'"reference_hit_id":"most_recent_page_id":"entrance_id":"entrance_timestamp":"tracking_domain":'
    b'"is_new_visitor":false,"is_entrance":true,"is_unique_node_view":"filtered_traffic":'
    b'"funnel_name":"node_name":"node_type":"offer","lander","referrer":"https://www.'
    b'"subject_type":"Contact","subject_id":"data":{"id":"email":"first_name":"last_name":"phone":'
    b'"url_buffer":{"action_data":{"origin_node_id":"action_number":1,"is_action":true,'
    b'"visitor_tags":["tracking_fields":{"utm_source":"utm_medium":"utm_campaign":"utm_content":'
    b'"gclid":"fbclid":"campaign":"traffic_source":{"traffic_source_id":"name":"Facebook","Google"'
    b'"connection_type":"browser":"os":"device_type":"mobile","desktop","language":"en-US",'
    b'"timezone":"America/New_York","city":"region":"country_name":"United States",'
    b'"country_code":"US","user_agent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) '
    b"AppleWebKit/537.36 (KHTML, like Gecko) Chrome/ Mobile Safari/537.36"
    b"(iPhone; CPU iPhone OS like Mac OS X) AppleWebKit/605.1.15 Version/ Mobile/15E148 "
    b'Safari/604.1","ip":"session":{"visitor_id":"hit":{"hit_id":"hit_timestamp":17,"funnel":{"funnel_id":'
    b'"node_id":"{"visitor":{"visitor_id":"',
}
# No header and no checksum: DynamoDB keeps what it was given.
_RAW = -zlib.MAX_WBITS


class IncompleteError(ValueError):
    """What was packed ends too early."""


def pack(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=_RAW, zdict=_DICTIONARIES[_CURRENT])
    return bytes([_CURRENT]) + packer.compress(content) + packer.flush()


def unpack(packed: bytes | str) -> bytes:
    """Text was never packed: it is older, or somebody wrote it by hand."""
    if isinstance(packed, str):
        return packed.encode()
    unpacker = zlib.decompressobj(wbits=_RAW, zdict=_DICTIONARIES[packed[0]])
    content = unpacker.decompress(packed[1:]) + unpacker.flush()
    if not unpacker.eof:
        raise IncompleteError
    return content
