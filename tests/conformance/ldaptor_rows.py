"""The rows of facts/ldaptor.md 7.3, and which tests show that ours is otherwise."""

from __future__ import annotations

HERE = "conformance/test_faults_of_ldaptor.py"

DIRECTORY = "directory/test_ldaptor_faults.py"
SESSION, CODEC, SERVER = "ldap/test_wire_session.py", "ldap/test_wire_codec.py", "ldap/test_wire_server.py"
NOTICES = "conformance/test_notices.py"
NO_REQUEST = (NOTICES, "test_what_is_no_request_ends_the_connection_with_a_protocol_error")
ROW_OF_A_TABLE = ("conformance/test_result_codes.py", "test_the_result_is_the_one_of_the_clause")

FAULTS: dict[str, list[tuple[str, str]]] = {
    # Decoder and framing
    "no message size limit: 2 GiB are buffered": [
        NO_REQUEST,
        (SESSION, "test_a_stranger_may_send_less_than_who_is_known"),
    ],
    "the buffer is copied with every chunk": [(SESSION, "test_receiving_is_linear_however_the_bytes_come")],
    "a truncated inner element, or 30 80, waits for ever": [
        NO_REQUEST,
        (SESSION, "test_a_truncated_inner_element_is_an_error_not_a_wait"),
        (SESSION, "test_what_cannot_become_a_message_is_refused_at_its_last_telling_octet"),
    ],
    "HTTP or a TLS hello leaves the connection open": [
        NO_REQUEST,
        ("ldap/test_wire_sockets.py", "test_a_peer_that_speaks_something_else_is_told_and_closed_at_once"),
    ],
    "an unknown operation, a response or a deep filter drops the line without a notice": [
        NO_REQUEST,
        (SESSION, "test_a_response_from_a_client_is_an_error"),
        (CODEC, "test_a_filter_may_be_as_deep_as_the_limit_and_no_deeper"),
    ],
    "many values are quadratic": [
        (CODEC, "test_decoding_is_linear_in_the_number_of_values"),
        (DIRECTORY, "test_row_many_values_are_not_quadratic"),
        (HERE, "test_an_entry_with_many_values_is_added_at_once"),
    ],
    "input is checked with assert, constructed bits are masked, long tags and referrals missing": [
        (CODEC, "test_what_is_wrong_is_named_by_its_path"),
        (CODEC, "test_unknown_components_at_the_end_are_ignored_where_they_are_well_formed"),
        (CODEC, "test_a_referral_without_uris_is_an_error"),
        ("operations/test_referrals.py", "test_a_referral_as_the_base_is_the_result"),
        ("property/test_codec_fuzz.py", "test_random_content_of_every_operation_keeps_the_invariant"),
    ],
    "str and bytes everywhere: a binary assertion is an error": [
        (DIRECTORY, "test_row_str_and_bytes_a_binary_assertion_is_undefined_not_an_error"),
        (HERE, "test_a_filter_finds_what_it_describes"),
    ],
    # Server semantics
    "no access control": [
        ("conformance/test_access_matrix.py", "test_everybody_is_told_what_is_for_them"),
        ("conformance/test_access_matrix.py", "test_nobody_but_an_administrator_writes"),
    ],
    "after a failed bind the one before stays bound": [
        ("conformance/test_result_codes.py", "test_a_bind_that_fails_leaves_nobody_bound"),
        ("operations/test_rights.py", "test_after_a_failed_bind_the_connection_is_nobodys"),
    ],
    "any SASL mechanism succeeds with an empty name": [
        ROW_OF_A_TABLE,
        ("operations/test_sasl.py", "test_another_mechanism_is_not_supported"),
        (HERE, "test_no_mechanism_makes_somebody_of_an_empty_name"),
    ],
    "a name that is no DN is a protocol error": [
        ROW_OF_A_TABLE,
        ("operations/test_binding.py", "test_a_global_user_binds_by_its_dn_under_any_suffix_or_by_its_name"),
        (HERE, "test_a_bind_with_a_name_that_is_no_dn_is_a_bind"),
    ],
    "an empty password is compared": [ROW_OF_A_TABLE],
    "passwords are compared with ==, their salt is predictable, on the reactor": [
        (HERE, "test_keys_are_compared_in_constant_time_and_salts_are_the_systems"),
        (
            "passwords/test_hashing.py",
            "test_an_expensive_scheme_runs_in_the_pool_and_a_cheap_one_where_it_is_called",
        ),
        ("passwords/test_hashing.py", "test_nobody_costs_as_much_as_a_wrong_password"),
    ],
    "requests run during a bind, and of two binds the first may win": [
        (SESSION, "test_a_bind_waits_for_what_is_in_progress_and_binds_follow_each_other"),
        (SERVER, "test_nothing_runs_beside_a_bind"),
        (HERE, "test_of_binds_that_are_sent_together_each_counts_until_the_next"),
    ],
    "Abandon is answered": [
        (SERVER, "test_abandon_is_silent_and_cancels"),
        (NOTICES, "test_abandon_of_what_is_not_in_progress_is_silence"),
    ],
    "an unknown request is answered with its own message id": [NO_REQUEST],
    "after an Unbind operations go on": [(SERVER, "test_unbind_cancels_everything_and_closes")],
    "message id 0 and duplicates are taken": [
        (SESSION, "test_message_id_0_is_an_error"),
        (SESSION, "test_an_id_in_progress_is_an_error_and_one_that_ended_is_not"),
        (NOTICES, "test_an_id_that_is_in_progress_ends_the_connection"),
    ],
    "no control is known, and none can be answered": [
        ROW_OF_A_TABLE,
        ("operations/test_searching_on_the_wire.py", "test_a_client_reads_page_by_page"),
    ],
    "no StartTLS, Who am I, Cancel": [
        ROW_OF_A_TABLE,
        ("operations/test_start_tls.py", "test_a_client_that_verifies_can_raise_its_connection"),
        ("operations/test_cancel.py", "test_a_search_that_waits_is_called_off"),
        ("conformance/test_access_matrix.py", "test_everybody_is_who_the_rules_say"),
    ],
    "Password Modify: old and new together are refused, nothing is made up, names are texts": [
        ("operations/test_password_modify.py", "test_an_administrator_resets_a_user_by_any_of_its_names"),
        (
            "operations/test_password_modify.py",
            "test_without_a_new_password_one_is_made_up_that_the_profile_accepts",
        ),
        (HERE, "test_password_modify_takes_an_old_one_and_a_name_in_any_spelling"),
    ],
    "limits, typesOnly and + are ignored, matchedDN is never set": [
        ("operations/test_search_limits.py", "test_the_stricter_size_limit_counts"),
        ("operations/test_search_limits.py", "test_a_time_limit_ends_a_search_that_finds_nothing"),
        ("operations/test_searching.py", "test_types_only_sends_no_values"),
        ("operations/test_searching.py", "test_what_is_missing_names_the_nearest_entry_that_is_there"),
        (HERE, "test_a_search_obeys_what_it_is_asked"),
    ],
    "the root DSE is found by one filter only, and tells all or nothing": [
        (HERE, "test_the_root_dse_is_an_entry_like_others"),
        ("operations/test_rights.py", "test_everybody_may_read_the_root_dse_and_the_subschema"),
    ],
    "no back-pressure": [
        (SERVER, "test_a_handler_waits_while_the_client_does_not_read"),
        (SERVER, "test_answers_for_a_reader_who_does_not_read_are_bounded"),
    ],
    "a modify is not atomic, and has other codes": [
        (DIRECTORY, "test_row_modify_is_atomic_and_has_the_rfcs_codes"),
        (HERE, "test_a_modify_is_whole_or_not_there_and_has_the_codes_of_the_rfc"),
    ],
    "a name in another case is another name, a rename replaces": [
        ROW_OF_A_TABLE,
        (DIRECTORY, "test_row_add_and_rename_a_name_in_another_case_is_the_same_name"),
        (HERE, "test_a_name_is_taken_in_any_case_and_free_after_a_rename"),
    ],
    "compare of a missing attribute is compareFalse": [ROW_OF_A_TABLE],
    "an unexpected exception is told to the client": [
        ROW_OF_A_TABLE,
        (SERVER, "test_a_handlers_bug_is_answered_with_an_incident_and_logged"),
    ],
    "the debug log has passwords": [("test_secrets.py", "test_a_session_leaves_no_password_anywhere")],
    # In-memory tree, filters, names
    "siblings are looked through one by one, every search visits everything": [
        ("storage/test_sqlite_store.py", "test_a_search_takes_the_shortest_walk"),
        ("storage/test_sqlite_store.py", "test_no_statement_of_every_day_scans_a_table_or_sorts_one"),
    ],
    "an error while matching an entry is success without it": [
        (DIRECTORY, "test_row_filters_approximate_and_named_rules_are_evaluated_and_never_swallow_an_entry"),
        (HERE, "test_a_filter_finds_what_it_describes"),
    ],
    "substrings are not consumed": [
        (DIRECTORY, "test_row_substrings_are_consumed_and_the_final_part_is_whole"),
        ("property/test_filter_laws.py", "test_substrings_agree_with_a_regular_expression"),
        (HERE, "test_a_filter_finds_what_it_describes"),
    ],
    "order is that of octets, equality is lower(), nothing is Undefined": [
        (DIRECTORY, "test_row_order_of_numbers_is_not_that_of_their_digits"),
        (DIRECTORY, "test_row_equality_knows_rules_spaces_oids_subtypes_and_undefined"),
        (HERE, "test_a_filter_finds_what_it_describes"),
    ],
    "the text of filters: slow, no (&), no OIDs, escapes are Latin-1": [
        ("ldap/test_filter_text.py", "test_a_text_means_its_filter"),
        (HERE, "test_a_filters_text_is_read_quickly_and_as_the_rfc_has_it"),
        (HERE, "test_a_filter_finds_what_it_describes"),
    ],
    "names: other hashes, order, spaces, escapes, endless comparison": [
        (DIRECTORY, "test_row_dn_equal_names_hash_alike_and_spaces_order_and_hex_do_not_matter"),
        (DIRECTORY, "test_row_dn_a_trailing_backslash_is_an_invalid_name"),
        (DIRECTORY, "test_row_dn_parts_of_names_have_no_order_that_could_recurse"),
        (HERE, "test_a_name_is_the_same_however_it_is_spelled"),
    ],
    # Schema, LDIF
    "real schema files are not read, entries are not checked": [
        (DIRECTORY, "test_row_schema_what_real_files_contain_is_read_and_errors_are_errors_of_the_file"),
        (DIRECTORY, "test_row_schema_entries_are_checked"),
        ("directory/test_schema_text.py", "test_openldaps_own_files_load_unchanged_after_ours"),
        ROW_OF_A_TABLE,
    ],
    "LDIF wants LF and a last blank line, long lines crash, changes are attributes": [
        ("directory/test_ldif.py", "test_both_line_ends_and_a_missing_last_one_are_read"),
        ("directory/test_ldif.py", "test_a_line_has_a_limit_whether_it_is_folded_or_not"),
        ("directory/test_ldif.py", "test_adds_and_changes_may_be_mixed"),
        ("directory/test_ldif.py", "test_an_error_says_its_line_and_what_was_expected_and_never_a_value"),
        ("directory/test_ldif.py", "test_files_are_refused_even_when_they_are_allowed"),
        ("directory/test_ldif.py", "test_a_long_file_is_read_in_the_memory_of_one_record"),
    ],
}
"""Rows, by what ldaptor does, and the tests that show that we do not."""
