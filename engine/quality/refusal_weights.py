"""The weights of refusals, as `tests.engine.quality.train_refusals` finds them."""

BIAS = -0.4
"""What a text weighs that has no feature with a weight."""
WEIGHTS = """
1.9: rule someth
1.8: reason
1.7: imagen
1.6: attach que subject
1.5: about data exist
1.3: bot content limit play
1.2: 400 download off readabl return upload
1.1: address de declin link offlin out request result scene send thing yellow
1.0: <given> and_a for_me format laptop mix part respect s to unanswer valid written
0.9: <not><output> anyth attract chang could fail imag mean must puedo rug safeti sens someon
0.9: support the_peopl understand ve vision what_this
0.8: base capabl cut depict did drive eye giraff go i load m modul near ocean or platform process
0.8: prompt this_$ this_one this_would where while with_tree
0.7: <missing> <not> <not><given> a_no abil are_you ball been citi clearer current desk filter je
0.7: leav_this me monitor none offer opinion order polici real rectangl remov servic ski skier
0.7: surfboard their through to_see unavail young
0.6: <able> <ask><given> <not><task> <output> <refuse> <request> ^_caption ^_not a_caption arriv be
0.6: block contain disabl due en facial file forgot i_must individu is it_s keyboard la
0.6: longer_exist may me_$ meaning mention no_go not_write nuditi output pass permiss pleas rather
0.6: reach receiv refus room sexual sit ski_in slope switch teddi to_view ver visual what_it wish
0.6: workspac would
0.5: <beyond> <deliver><article> <given><given> <request>$ <rule> <speaker><not> <task> ^<missing>
0.5: ^<not> ^_can ^_my ^_out a_descript a_laptop a_mix a_valid access again against all_i apolog
0.5: bad beyond blue_sky broke can_not caption chang_the code comment context descript differ
0.5: discuss dock drink dusk fresh generat grey happi i_will imposs in_order in_this input instead
0.5: is_lie it_contain it_show jpg larg legal let_us live live_room lo make minor moment my_rule
0.5: natur no_longer no_puedo not_say noth ocean_$ of_respect order_to pero pixel pizza plaid
0.5: prevent program recognit respect_for serv shall side skip sky skylin snow solid somehow sorri
0.5: stone tell_me the_attach thing_in togeth top topic unabl use valid_imag withheld would_be
0.5: you_tell your_pictur
0.4: <able><given> <ask><article> <block> <error> <excuse> <excuse>$ <machine> <model> <not>$
0.4: <not><request> <other><own> <person><other> <rule>$ <speaker><refuse> <speaker><textual>
0.4: <task><person> <user><given> <what><given> ^<beyond> ^<refuse> ^_all ^_imag ^_no ^_this
0.4: a_clearer a_placehold a_platform a_red a_skier a_tall a_yellow a_young about_a address_$ ahead
0.4: anoth apologis are_unabl artifici ask ask_about at_pictur b base_on be_written break build_in
0.4: came can can_be cant china could_you cup d_be decod describ describ_$ detail difficult do_that
0.4: error expir filter_$ forest from_a further girl_in guidelin happen help_onc here_$ i_can i_do
0.4: imag_are imag_show imag_was in_word interpret intersect into is_in kid kitchen leav lie_on ll
0.4: login low make_out meant model mount must_declin need_the newlyw no_imag not not_enough
0.4: not_make off_limit on_my on_ski on_top onli_read out_a pair password paste perfect plaid_shirt
0.4: platform_under pole produc proper qualiti re read_text refus_$ regret retriev ride roof s_hard
0.4: see_what send_the shore shown sinc smaller snow_$ snowi soccer sofa softwar someon_is
0.4: someth_els sorri_$ speak specul stand stop_sign subject_$ talk talk_about teddi_bear tell_what
0.4: tenni term the_$ the_messag the_ocean the_request this_assist this_kind this_model to_describ
0.4: to_help to_pass today train_at uniform us vase view_of view_this watch what_imag which_i white
0.4: will_not work write_about you_ask you_forgot young_girl your_messag
0.3: <article><given> <article><model> <article><speaker> <ask>$ <deliver> <deliver><given>
0.3: <error>$ <given><missing> <given><perceive> <joined><article> <joined><not> <not><able>
0.3: <not><perceive> <only><carrier> <other><person> <other><request> <other><speaker>
0.3: <output><block> <output><not> <perceive> <perceive><person> <refuse><given> <speaker><able>
0.3: <textual> <user>$ ^<deliver> ^<error> ^<excuse> ^<joined> ^<machine> ^<request> ^<task>
0.3: ^_could ^_did ^_due ^_for ^_in ^_it ^_load ^_none ^_permiss ^_photo ^_pictur ^_who a_color
0.3: a_glass a_home a_meaning a_pictur a_stop a_surfboard a_tenni a_wall a_water a_wave a_white
0.3: a_workspac about_this abov aerial air am an_artifici an_imag an_iron an_opinion analys and
0.3: and_$ and_build and_have answer apolog_but are_off attach_$ becaus_it beij blind build bus_is
0.3: bus_on cake_togeth caption_and caption_but caption_can caption_here captur cat_is cat_on
0.3: certain chatbot check chees code_400 comment_on cours determin did_you document dog_on dont
0.3: down dress_is drive_down due_to dure each empti enough_to entir error_code facial_recognit
0.3: fall featur_is fli fli_over flower footbal forget forgot_the format_$ game glad got happi_to
0.3: has_been have_eye herd hi home_offic howev i_declin i_m i_onli i_understand i_wish imag_did
0.3: imag_fail imag_modul imag_with instead_of intellig invalid iron_board irrespons is_drive
0.3: is_fli is_more is_offlin is_switch it_broke kid_play la_imagen lamp_$ languag laptop_$ las
0.3: later learn link_is littl load_$ longer man_on man_use match me_what meaning_caption miss_$
0.3: model_$ moment_$ monitor_and my_eye my_guidelin my_side my_vision near_a need_a next no_$
0.3: no_caption nope not_access not_caption not_describ not_do not_here not_open not_provid
0.3: not_support not_there not_view not_work occur of_a of_children of_content of_zebra offic_desk
0.3: oh on_what open_on opinion_about or_a orang out_of peopl_in permiss_deni person_$ photo_has
0.3: photo_i photo_not photograph pictur_is pictur_next pictur_you pizza_on placehold pleas_tri
0.3: pleas_upload posit prefer privat puedo_ver refer refrain regret_that requir resolut respond
0.3: restrict retri ride_a riversid roof_$ sad see_ani should_be shown_$ sight skier_in someth_i
0.3: stop_by stop_here stretch support_$ surf surfer switch_off tall tall_tower than_i that_i
0.3: that_one that_you the_link the_moment the_photo the_program the_prompt the_scene the_servic
0.3: the_snow the_subject the_upload there_was think_the this_person this_photograph this_scene
0.3: to_have to_look to_stop to_tell today_$ togeth_$ too tool top_of tower_and tree_$ unabl_to
0.3: understand_that unfortun upload_the use_an velvet version violenc wait_for was was_a was_found
0.3: was_stop water we_chang weapon wed_cake where_is white_dress wish_i with_monitor without_the
0.3: workspac_with written_without you_a you_mention you_talk you_ve
0.2: <able>$ <again> <article><carrier> <article><life> <article><own> <article><rule> <ask><again>
0.2: <ask><ask> <beyond>$ <beyond><own> <block>$ <block><article> <error><given> <given><life>
0.2: <given><own> <given><user> <hard><perceive> <hard><what> <joined><given> <life><article>
0.2: <life><user> <machine><not> <machine><textual> <missing>$ <missing><given> <model>$
0.2: <model><given> <model><not> <not><own> <not><person> <not><what> <only><textual> <other><ask>
0.2: <other><rule> <other><task> <other><textual> <other><what> <output>$ <output><other>
0.2: <output><perceive> <own> <own><able> <own><rule> <own><textual> <perceive><life>
0.2: <perceive><output> <perceive><perceive> <person><article> <refuse>$ <refuse><article>
0.2: <refuse><output> <refuse><perceive> <request><block> <speaker> <speaker>$ <speaker><article>
0.2: <speaker><given> <speaker><only> <speaker><task> <textual><other> <too><output>
0.2: <user><deliver> <what> <where> <where>$ <where><article> <where><given> ^$ ^<able> ^<as>
0.2: ^<ask> ^<block> ^<model> ^<rule> ^<textual> ^<user> ^_answer ^_apolog ^_as ^_becaus ^_if
0.2: ^_invalid ^_lo ^_look ^_our ^_refus ^_shall ^_somehow ^_that ^_unabl a_cake a_clean a_clear
0.2: a_close a_differ a_dock a_fresh a_languag a_larg a_live a_login a_look a_man a_match a_minor
0.2: a_pair a_pizza a_plaid a_pole a_posit a_problem a_smaller a_snowi a_solid a_tabl a_teddi
0.2: a_text a_vase about_someth abov_$ aerial_view after_a ahead_and air_abov alon among an_aerial
0.2: an_intersect an_orang and_chees and_groom and_i and_it and_send ani_imag ani_pictur answer_$
0.2: anyth_i apologis_this appropri are_cut are_disabl artifici_intellig as_a at_$ at_dusk at_it
0.2: attach_the be_against be_happi be_irrespons be_open beach_$ bear_$ been_upload behind_a
0.2: blind_to board_mount bronz but_this came_through can_$ caption_$ caption_becaus caption_of
0.2: cat_sleep chat chees_is child_with children children_in citi_at citi_with clean_kitchen
0.2: clear_$ clear_enough close_up color comfort compli concern content_is convers cover_slope
0.2: crimson cup_$ cut_their d_like d_love d_prefer declin_$ deep deni_$ describ_this descript_$
0.2: descript_can desk_with difficult_to do_$ do_with dock_stretch dont_have doubl drink_water
0.2: dusk_$ enabl enclosur enclosur_with entir_black ever exist_$ fail_$ far feel file_$ file_was
0.2: find_it float footbal_dure for_legal for_that forbid form from_comment from_describ front
0.2: front_of giraff_in go_ahead groom_are group_of guess hard_to has_expir has_white here_next
0.2: hill hill_under hmm honest hug_a i_am i_apologis i_dont i_find i_ll i_regret imag_captur
0.2: imag_data imag_depict imag_file imag_in imag_is imag_next imag_should imag_so imag_you imageri
0.2: imposs_to in_a in_front in_the in_uniform in_your inappropri internal into_a invalid_imag
0.2: is_drink is_empti is_entir is_i is_limit is_miss is_need is_ride is_serv is_sit is_text is_too
0.2: is_unavail it it_look jacket kitchen_has kitchen_with know_$ larg_citi ledg legal_reason let_s
0.2: like_caption like_the limit_$ look_like love_to low_qualiti mani_$ match_in me_but meant_to
0.2: memori moder modern modul_is more more_context more_than mount_at my_abil my_apolog narrow
0.2: near_$ newlyw_cut next_to no_descript no_photo nois none_$ none_in not_$ not_been not_form
0.2: not_know not_name not_part not_possibl not_read not_see not_someth not_think not_to noth_came
0.2: null of_giraff of_kid of_yellow onc_i one_$ onli_see open open_your orang_cat orient our_rule
0.2: page_where pair_of pajama part_of pepperoni pepperoni_and pero_no person person_and photo_is
0.2: photo_next pictur pictur_are pictur_was pictur_with play_a play_soccer play_with pleas_check
0.2: pleas_describ pleas_send pole_$ poor posit_to problem provid_the read read_this real_peopl
0.2: reason_i reason_of recognis red_bus red_doubl refer_to refriger respons result_of return_an
0.2: riversid_citi rocki room_with rule_$ s_imposs safeti_$ say_no scene_for scene_in sea see_it
0.2: send_me shall_we share_the shirt shirt_play show show_an show_newlyw side_$ sight_$ sign_at
0.2: sleep_on slope_and slope_with snow_cover so_that sorri_no specul_about stainless steep_hill
0.2: still street_$ stretch_into suppli suppress tabbi templat text_$ that that_$ that_pictur
0.2: the_keyboard the_model the_rule the_server the_topic the_track their_face there there_s
0.2: think_you this_in this_request through_$ to_a to_attach to_caption to_interpret to_it to_me
0.2: to_send topic_$ track track_$ tree_in tri_a tri_again trigger two_giraff type uncertain
0.2: upload_proper vase_$ vase_near ve_sent verifi view view_that violat want_a was_an was_remov
0.2: water_from wave wave_on we_talk what_i what_photo where_the white_cabinet with_rose with_the
0.2: woman_in word_$ would_need written_$ wrote yellow_flower yellow_shirt you_d you_mean you_want
0.2: your_imag zebra zebra_is
0.1: 403 404 404_the <able><article> <able><block> <able><own> <able><person> <able><task> <again>$
0.1: <article><again> <article><ask> <article><beyond> <article><error> <article><missing>
0.1: <article><not> <article><request> <article><too> <article><user> <article><when> <as>
0.1: <as><given> <as><model> <as><not> <as><speaker> <as><task> <as><textual> <ask> <ask><own>
0.1: <ask><request> <ask><speaker> <beyond><article> <beyond><beyond> <beyond><given>
0.1: <beyond><other> <beyond><perceive> <beyond><rule> <beyond><speaker> <block><block>
0.1: <block><carrier> <block><joined> <block><output> <block><rule> <carrier><textual>
0.1: <carrier><user> <carrier><where> <deliver><again> <deliver><missing> <deliver><not>
0.1: <deliver><own> <deliver><request> <error><article> <error><joined> <error><perceive>
0.1: <error><user> <excuse><given> <given><able> <given><again> <given><block> <given><output>
0.1: <given><refuse> <given><request> <given><task> <given><too> <given><when> <hard>$
0.1: <hard><given> <hard><task> <joined> <joined><able> <joined><as> <joined><block>
0.1: <joined><deliver> <joined><other> <joined><output> <joined><perceive> <joined><speaker>
0.1: <joined><task> <joined><what> <machine>$ <machine><carrier> <machine><only> <machine><other>
0.1: <machine><refuse> <missing><article> <missing><perceive> <missing><request> <missing><where>
0.1: <model><other> <model><output> <model><refuse> <model><textual> <model><user> <not><ask>
0.1: <not><deliver> <not><user> <only><perceive> <only><user> <other><again> <other><deliver>
0.1: <other><machine> <other><missing> <other><model> <other><too> <other><user> <output><able>
0.1: <output><carrier> <output><joined> <output><own> <output><person> <output><rule> <own>$
0.1: <own><block> <own><missing> <own><model> <own><not> <own><person> <own><what>
0.1: <perceive><error> <perceive><hard> <perceive><missing> <perceive><other> <perceive><rule>
0.1: <perceive><speaker> <perceive><where> <person><rule> <refuse><not> <refuse><person>
0.1: <refuse><task> <request><ask> <request><given> <request><life> <request><rule>
0.1: <request><textual> <rule><block> <rule><given> <speaker><excuse> <speaker><hard>
0.1: <speaker><machine> <speaker><missing> <speaker><other> <speaker><person> <speaker><request>
0.1: <speaker><speaker> <task>$ <task><article> <task><other> <task><request> <task><speaker>
0.1: <task><what> <task><when> <textual>$ <textual><model> <textual><not> <textual><speaker>
0.1: <textual><textual> <too><article> <too><other> <too><own> <too><what> <user><article>
0.1: <user><ask> <user><missing> <user><not> <user><own> <user><request> <user><what> <what>$
0.1: <what><able> <what><speaker> <what><task> <when><article> <when><given> <when><perceive>
0.1: <when><speaker> <when><what> ^<hard> ^<perceive> ^<when> ^<where> ^_ani ^_at ^_be ^_befor
0.1: ^_content ^_descript ^_empti ^_error ^_even ^_file ^_hi ^_hmm ^_imposs ^_na ^_nope ^_null ^_of
0.1: ^_right ^_sinc ^_sure ^_unfortun ^_where a_$ a_ball a_beach a_blue a_bouquet a_cozi a_desk
0.1: a_field a_game a_giraff a_group a_herd a_keyboard a_ladi a_lamp a_long a_narrow a_park a_real
0.1: a_riversid a_silver a_snow a_stainless a_steep a_still a_street a_surfer a_tabbi a_view
0.1: a_woman a_wooden abil_$ abil_to about_$ about_an about_is about_it access_imag access_pictur
0.1: actual afraid after again_$ again_and again_in against_our age ai_develop all_that allow_a
0.1: am_unabl an_empti anyth_$ anyth_about apologis_but appreci are_play are_stand arriv_$ as_it
0.1: ask_for assist assist_has assist_i assist_is at at_photo at_present attach_a attir attir_stand
0.1: avail_to back_of be_$ be_a be_analys be_caption be_describ be_discuss be_glad be_honest
0.1: be_inappropri be_made be_offer bear_in befor_i believ_i bird_is black_wetsuit blank_page
0.1: bouquet bouquet_of boy_are bright bronz_statu bus_drive but_describ but_it by by_$ by_me
0.1: by_safeti by_the cabinet_a cake_decor can_do can_onli can_process can_read can_write cant_see
0.1: canyon caption_avail caption_is caption_next caption_pictur captur_a case case_i cat_rest
0.1: certain_what chat_$ check_the children_$ citi_$ clear clear_vase cloth_$ come_through
0.1: comfort_write comput_on content_$ content_and content_polici convers_$ could_describ
0.1: could_tell cover cozi cozi_room cupboard cut_a d_need d_rather dark dark_$ declin_the decor
0.1: deep_canyon depict_$ depict_a descend descend_a describ_and describ_children describ_in
0.1: describ_next describ_that describ_what descript_of desk_$ determin_what develop develop_by
0.1: did_not discuss_the display do_but do_it doubl_$ down_a down_the drive_$ dune dure_$ dure_a
0.1: each_other eat eat_leav els_$ empti_$ empti_file enabl_for engag engag_with enough_for error_$
0.1: error_occur even even_after explicit eye_$ eye_to face_are fail_a fall_outsid far_too
0.1: feel_comfort file_but file_not file_type first_$ float_in floor_$ for_a for_your forgot_to
0.1: found_in from_me function gate_$ generat_a giraff_are giraff_eat giraff_stand girl_play
0.1: given_ani glad_to goe got_the grand grand_hall graphic gray group hard has has_not have have_$
0.1: have_not have_the he help_with help_you her_teddi herd_of here_it here_this honest_i how_to
0.1: hug i_apolog i_cant i_current i_got i_know i_may i_never i_receiv i_think i_ve i_write i_wrote
0.1: ident_of identifi_peopl if_there imag_again imag_could imag_first imag_input imag_skip
0.1: imag_that imag_to imag_yet in_pink in_wed includ_the inconveni inform_in input_$
0.1: internal_error intersect_with into_$ is_about is_against is_attach is_broken is_explicit
0.1: is_far is_float is_iron is_just is_noth is_so is_written it_and it_appear it_it it_through
0.1: it_with it_would itself jacket_on judg_the just_nois keyboard_$ know_you ladi ladi_with
0.1: languag_model later_$ learn_to leav_from limit_for link_$ link_you littl_girl ll_have london
0.1: long_wooden look_$ low_for m_abl man_in man_stand man_surf manag may_not may_violat me_an
0.1: me_more miss_from model_i model_is monitor_a more_detail mountain mountain_$ my_answer
0.1: my_camera my_instruct my_train narrow_gate never_arriv never_sent night_view no_access
0.1: no_answer no_can no_output no_pictur no_to nope_can not_among not_appropri not_come not_depict
0.1: not_discuss not_enabl not_engag not_exist not_feel not_generat not_given not_guess
0.1: not_identifi not_learn not_let not_load not_process not_reach not_talk not_verifi noth_can
0.1: noth_els noth_i noth_in noth_to nuditi_$ occur_while of_cours of_file of_it of_me of_what
0.1: offic okay_but on_text on_their on_which onc one_of open_imag orient_$ our our_polici
0.1: our_system our_term outsid_what over_a pajama_hug park_$ perceiv person_i person_is
0.1: photo_contain photo_did photo_in photo_should photograph_to pictur_and pictur_do pictur_first
0.1: pictur_from pictur_in pictur_would pier pink_pajama pizza_with place_to play_footbal
0.1: pleas_attach polici_$ pond pond_$ possibl_$ prefer_to present present_in present_the privaci
0.1: privat_individu prompt_$ prompt_trigger proper_$ protect provid_an qualiti_it question_$
0.1: question_ask rather_not reach_the real_person reason_the receiv_text red_$ red_jacket
0.1: refrain_from request_$ requir_an resend resolut_is respond_to rest rest_on rocki_ledg room_$
0.1: room_has run_after s_a s_age s_noth sad_the sand_$ say_anyth say_who sea_$ see_a see_an
0.1: see_anyth see_imag see_one see_this see_your send_it sent_it server servic_is sexual_content
0.1: shall_not share_your shirt_$ shirt_is should_describ show_a show_children show_the sign_on
0.1: silver silver_coach sinc_the sit_on skier_descend skip_this skylin_$ skylin_at skylin_with
0.1: small soccer_on someon_s someth_went soon sorri_but sorri_with stand_$ stand_next stand_on
0.1: statu_and steep such support_imag sure_pleas surf_on surfer_$ surfer_in system tabl_$ tell_you
0.1: templat_$ tent text_and text_is text_onli thank_for that_address that_s that_would the_abil
0.1: the_air the_answer the_assist the_back the_bronz the_deep the_grand the_ident the_kitchen
0.1: the_low the_orient the_person the_question the_resolut the_respons the_sand the_sea the_skylin
0.1: the_tool their_wed there_$ there_i this_but this_can this_case this_chat this_content
0.1: this_convers this_featur this_file this_system this_version to_answer to_assist to_compli
0.1: to_discuss to_do to_each to_generat to_give to_privaci to_process to_provid to_refus
0.1: to_respond toddler_in too_dark too_low train_on tree tri_me trigger_the tulip tulip_in
0.1: tulip_is type_is unclear unclear_to under under_a uneth uniform_run unread upload_it usag
0.1: use_$ user_did version_of view_imag violat_my violat_our visibl_to walkway want_to was_block
0.1: was_not water_with we_will wed_attir went went_wrong wetsuit wetsuit_$ what whether
0.1: white_cupboard whom with with_$ with_balloon with_flower with_her with_me with_my
0.1: with_pepperoni with_two with_wooden withheld_$ woman_$ wooden wooden_dock wooden_floor
0.1: wooden_pier work_with would_rather would_violat write_$ write_a write_anyth wrong yellow_tulip
0.1: you_could you_did you_go you_have you_link you_send you_share young_boy your_photo your_prompt
0.1: your_request zoo_enclosur
-0.1: 9000 <able><life> <able><what> <article> <article><excuse> <article><hard> <article><joined>
-0.1: <article><machine> <article><output> <article><textual> <as><life> <as><other> <ask><carrier>
-0.1: <ask><life> <ask><not> <ask><perceive> <ask><user> <block><able> <carrier><article>
-0.1: <carrier><deliver> <carrier><missing> <carrier><person> <deliver><carrier> <deliver><joined>
-0.1: <deliver><other> <deliver><user> <error><carrier> <error><request> <error><when>
-0.1: <excuse><article> <excuse><excuse> <excuse><not> <excuse><own> <given><machine> <hard><other>
-0.1: <hard><person> <life><given> <life><own> <life><perceive> <machine><machine> <machine><task>
-0.1: <machine><what> <missing><carrier> <model><article> <model><carrier> <model><life>
-0.1: <model><model> <not><article> <not><error> <not><excuse> <not><not> <not><too> <not><when>
-0.1: <only><speaker> <other><as> <other><hard> <other><output> <other><when> <output><article>
-0.1: <output><task> <own><carrier> <own><joined> <own><perceive> <own><speaker> <perceive><ask>
-0.1: <perceive><carrier> <perceive><deliver> <perceive><given> <perceive><model> <perceive><not>
-0.1: <perceive><textual> <perceive><user> <perceive><what> <perceive><when> <person><able>
-0.1: <person><ask> <person><given> <person><life> <person><person> <person><task> <person><what>
-0.1: <refuse><request> <request><article> <request><carrier> <request><machine> <request><missing>
-0.1: <request><output> <request><perceive> <request><task> <request><what> <rule><article>
-0.1: <rule><other> <rule><request> <speaker><again> <speaker><output> <speaker><perceive>
-0.1: <task><life> <task><machine> <textual><machine> <too><perceive> <user><carrier>
-0.1: <user><joined> <user><machine> <user><person> <user><textual> <what><joined> <what><life>
-0.1: <what><machine> <what><model> <what><not> <what><output> <what><person> <when> <when><block>
-0.1: <when><other> <where><other> ^<speaker> ^<what> ^_ai ^_deni ^_describ ^_explicit ^_first
-0.1: ^_forbidden ^_human ^_let ^_never ^_noth ^_reject ^_requir ^_restrict ^_sorri ^_to ^_upload
-0.1: ^_whi ^_without a a_banner a_bear a_box a_bridg a_calm a_camera a_car a_cardboard a_care
-0.1: a_cartoon a_castl a_chat a_child a_church a_climber a_crane a_doubl a_fallen a_femal a_film
-0.1: a_frame a_goat a_green a_hand a_heart a_help a_kitten a_ladder a_lake a_letter a_longer a_map
-0.1: a_market a_model a_note a_paint a_passeng a_phone a_piano a_pier a_plate a_pool a_portrait
-0.1: a_program a_queen a_rainbow a_result a_river a_robot a_roof a_row a_sad a_server a_shelf
-0.1: a_sign a_singl a_stack a_stove a_teacher a_toy a_train a_vintag a_zebra abl about_privaci
-0.1: about_that about_to across action addit after_$ after_the ai_languag air_$ airport ala
-0.1: all_over along_a alway am_sorri an_ad an_apolog an_assist an_error an_offic and_can and_no
-0.1: and_the and_this and_white ani_more ani_peopl anim_are answer_a apolog_to appl are_$ arm_$
-0.1: around art_$ artwork as_an as_he as_the as_this ask_me asleep assist_a at_night at_this
-0.1: ate_the attach_to avail_in back_$ back_to background_$ bag_$ bake band banner banner_at barn
-0.1: basket_$ bay be_answer be_complet be_identifi be_love be_read be_the becaus_of bed_$
-0.1: befor_the believ_it bird_$ birthday black_and blue blue_$ boat_$ book box_$ box_is boy_on
-0.1: bride bridg_has bulldog bus_pass but_no but_sand by_a cabinet_$ cactus cake_but cake_is
-0.1: calm_lake camera_$ camp can_describ cancel candi canyon_$ captcha caption_that car_in carri
-0.1: cash castl_in cat_$ chair_$ chalkboard chat_in checkbox_on choos_a church_a cliff climat
-0.1: climb_a clock_$ close cloth cloth_on cloud_$ coat coffe complet_without concept confer
-0.1: contain_no cooki could_look could_not countri coupl cover_$ cream crowd curtain custom dancer
-0.1: date deni deni_a desert diner disk distanc do_a do_you dog_and dog_in doormat down_$ draw_of
-0.1: driver easi_to end end_of error_in error_page ethic except face_of fail_to fan featur_$
-0.1: featur_a field_with file_in file_that film_still find_a first_a first_i fisherman flat focus
-0.1: food for_this form_$ frame_$ fridg friend from_this gate_in glass_vase glow go_to goalkeep
-0.1: goat_on groom group_$ gym hal hand_$ hang_on harbor hat have_no head_down hear heart heel_in
-0.1: helmet help_a hide hill_$ him hint hoodi hous_$ hug_$ i_could i_forgot i_look i_refus
-0.1: i_should i_tri ident_is identifi_becaus illustr imag_a imag_do imag_from imag_i imag_it
-0.1: imag_seem in_an in_sight inform insid into_the iron iron_cloth is_$ is_blank is_cover is_do
-0.1: is_imposs is_open is_visibl it_$ it_again it_imposs just kind_of kitchen_$ know_if know_more
-0.1: know_who lake_$ larg_wave late leaf leav_$ left_on librari_$ lid lid_$ like_me like_this
-0.1: line_$ logo look_at lyric m_just m_not m_sorri make_it make_this maker man_can man_is man_s
-0.1: mani manual mask mat me_know me_think measur men mention_the messag_$ miss model_can
-0.1: model_doe monitor_$ monkey morn mous mr mud mug_with mural museum my_cat my_dog my_first
-0.1: my_task need_help nice night_$ no_anim no_car no_furnitur no_inform no_other no_park no_snow
-0.1: no_train none_of noon not_all not_amus not_even not_found not_go not_have not_includ
-0.1: not_known not_like not_look not_need not_readabl not_seen not_share not_sharp not_show
-0.1: not_take not_the not_today not_touch noth_on notic_on number object_in of_pictur of_them
-0.1: of_water offic_$ older open_$ open_it outsid over_the page_of paint palm pari parti pass_$
-0.1: passeng_wait past peopl_are pepperoni_$ person_in person_s person_whose photo_a photo_doe
-0.1: photo_here photograph_$ photographi piano_and pictur_as pictur_befor pictur_doe pictur_i
-0.1: pictur_it pictur_onli pictur_that pier_$ pizza_$ placard place placehold_icon plastic
-0.1: plate_of play_$ player_about plaza_$ pleas_give pleas_help pleas_keep pleas_share pleas_write
-0.1: pond_with portrait_of possibl print_$ privaci_pleas prize provid_$ provid_one punk rather_be
-0.1: read_a receiv_a regret_noth regrett remov_from replac restrict_area ride_$ right_to river_$
-0.1: rock_$ row run s_face s_the safe said sailor say_a scene_$ sculptur see_$ see_here see_no
-0.1: see_that seem_that seem_to seen_$ seen_a seen_on sent_$ sentenc_that set set_$ sever
-0.1: sever_zebra shade shadow shake shake_hand shape share_it sheet ship shirt_and shop short_$
-0.1: short_caption show_no sign sign_$ sign_in sign_that sketch_of sleev smart so_a song sorri_for
-0.1: spot stack_of stain_glass stair star state station_$ steep_$ sticker still_$ still_of stove
-0.1: stove_and street_and stuck studio summer sure_what swim swing system_doe take_a taken_in
-0.1: tall_$ tear teddi_$ tenni_player text text_on text_or than_this thank_you that_a that_describ
-0.1: that_photo that_will the_actor the_babi the_ball the_beach the_bench the_best the_box
-0.1: the_bride the_cake the_citi the_clock the_color the_distanc the_dress the_eclips the_end
-0.1: the_eye the_floor the_front the_gate the_given the_goalkeep the_kid the_last the_line
-0.1: the_mess the_moon the_mountain the_name the_owner the_pictur the_rain the_right the_road
-0.1: the_roof the_same the_sign the_sky the_sun the_titl the_user the_water the_way the_window
-0.1: the_word there_is these_shoe this_car this_cat this_i this_is this_puppi this_room this_task
-0.1: this_tool tini titl_of to_an to_choos to_climb to_come to_comment to_find to_fli to_identifi
-0.1: to_keep to_land to_laugh to_open to_reach to_read to_share to_speak to_talk to_upload to_walk
-0.1: token_$ tote tote_bag touch town truck tulip_$ turn_out two_children two_girl umbrella_$
-0.1: under_$ under_the up_next upload_$ upload_of user_describ user_want view_from visibl_behind
-0.1: visitor wait wait_to wall_$ wall_art warn_that was_never was_taken waterhol wave_near we
-0.1: we_were weather web wed when which_the white_lili white_wall who_is who_need whose_face
-0.1: will_describ will_write window_$ wine_glass wing with_a with_an with_fri with_no with_their
-0.1: with_your without_a wolf woman_is woman_play wood word_on worri would_like write_one
-0.1: written_on year_$ yellow_$ you_be you_for you_hang you_how you_i you_sent you_to you_would
-0.1: young_$ your your_design your_mother zebra_in
-0.2: <able><other> <again><other> <article><perceive> <article><what> <ask><other> <ask><output>
-0.2: <carrier><not> <carrier><perceive> <deliver><perceive> <excuse><carrier> <excuse><speaker>
-0.2: <given><what> <joined>$ <joined><life> <machine><article> <machine><given> <other><given>
-0.2: <other><joined> <other><not> <other><other> <other><refuse> <own><output> <perceive><article>
-0.2: <perceive><joined> <person>$ <person><perceive> <speaker><joined> <speaker><own>
-0.2: <speaker><too> <task><given> <task><joined> <textual><article> <too>$ <user><other>
-0.2: <user><user> ^<other> ^_forgiv ^_is ^_miss ^_okay ^_privaci ^_question ^_send ^_sensit ^_sign
-0.2: ^_there ^_tri ^_violat a_balloon a_better a_black a_blur a_broken a_bus a_chain a_data
-0.2: a_doctor a_draw a_file a_garden a_hors a_lighthous a_lock a_notic a_pipe a_tree a_websit ad
-0.2: ai_generat all all_day allow allow_in allow_to amus an an_ai an_answer an_old and_yellow
-0.2: appear_to are area assist_can ate away background_is bag be_given be_recogn beach beach_with
-0.2: believ between billboard_mockup blur_and boy_with bridg_$ build_$ burger busi but_a but_the
-0.2: buy can_tell cann caption_short car_$ card_with cardboard care cartoon cat_under censor chart
-0.2: checkbox cherri chicken clear_what climber clock color_$ comput crack crane cross cute
-0.2: deni_stamp descript_below did_$ do do_not doe_not dog_with door_$ dress_$ duck eclips egg
-0.2: enough enter enter_the face_is fair fallen featur femal file_is find_this flash flood_the
-0.2: forgiv_me found_$ four fri fruit full_of furnitur garag garden_$ gate get_a girl give glare
-0.2: glass glass_$ goal grandmoth_$ grill half hall handwritten have_been head hedg heel here_are
-0.2: hidden high hold how_much hurt i_want ice icon_vector idea_what ident identifi identifi_this
-0.2: imag_appear imag_featur imag_here imag_onli in_$ in_it in_my in_red in_which includ is_it
-0.2: is_on is_the is_there is_unknown it_i it_in jar just_a keep_the kind know lack lamp_in land
-0.2: last laugh length life lit live_at log love_this machin_$ made_of made_out main_object
-0.2: make_the man_and man_who mani_build march market matter mess monday moon much_i mug_$
-0.2: must_not my_favorit need_for net night no no_face no_idea not_clear not_easi not_from
-0.2: not_recognis not_sorri not_tell not_wait noth_but noth_is notic_in null_and of_canal on_$
-0.2: on_a on_it onc_the onli_a open_the origin our_trip over owner page_with peopl_$ peopl_onli
-0.2: permit_in person_pillow person_who photo_$ photo_show photo_was photo_which pictur_$ pictur_a
-0.2: pictur_becaus pictur_but pictur_of pillow_$ plane plate_$ plate_but pleas_come pleas_do pool
-0.2: poster_$ puppi queen question_what quot rainbow red remov_the rider rose rose_$ s_ident same
-0.2: see see_me see_you sensit_content sent sharp shoe_$ shoe_with show_$ shown_here sink sketch
-0.2: sloth_$ snake so_here so_i sorri_not stage stain stamp_in start step street system_of task_i
-0.2: teapot than_thirti that_can that_is that_say the_background the_bird the_boat the_bottl
-0.2: the_bridg the_camera the_file the_hors the_imag the_main the_red the_stadium the_statu
-0.2: the_street the_templ the_tree the_wall the_wed the_whole the_woman theater them think_of
-0.2: think_this thirti_token this_dress this_old to_be to_enter to_resist to_your tower_is traffic
-0.2: train_$ tree_and trip_to user_what vector_$ view_the vintag vinyl visibl_text walk want_me
-0.2: water_a we_are we_have wed_$ what_do what_you which_show who_can whose win with_this
-0.2: without_my write write_the you_and you_do you_it
-0.3: <block><other> <carrier><carrier> <carrier><other> <given><article> <given><ask>
-0.3: <given><carrier> <given><joined> <given><not> <life>$ <missing><other> <not><textual>
-0.3: <only><other> <other><carrier> <output><user> <own><given> <own><other> <person><not>
-0.3: <refuse><other> <speaker><carrier> <what><other> <what><perceive> <what><what> <when>$
-0.3: ^<article> ^<own> ^_an ^_onc ^_oop ^_user a_boy a_few a_fox a_person a_screenshot a_warn ai
-0.3: along anoth_caption are_no are_not are_shown are_visibl arm art artist avail balloon bandana
-0.3: basket becaus_the bed behind behind_the bench best bicycl black_dress blue_and board_$ bowl
-0.3: broken bus_$ but_i calm caption_a caption_this castl coin contain_ani d describ_how design
-0.3: did_it do_justic draw els entri error_messag few_word field find_the finish flag for
-0.3: for_children for_sale from_our full girl_with given_an grow guitar have_ani help_but her here
-0.3: here_a home hors_$ huge i_hope i_see imag_can imag_contain imag_need iron_$ is_still
-0.3: justic_to key known ladder leav_the like_to line live_$ load_more long m_go made map me_see
-0.3: meme messag_on mind miss_a mouth much music my my_grandmoth newspap no_file no_visibl not_abl
-0.3: not_be not_contain not_find not_for not_sure note now_i object of_my okay_so on_an oop_i
-0.3: piano pie plaza pleas_provid portrait possibl_to post print protest provid_a rain recogn say
-0.3: secur seem sentenc_$ she shelf some sorri_about squar stack statu stop_$ sun sweatshirt
-0.3: t_shirt tag task_is tattoo teacher that_it that_no the_cloud the_dog the_face the_photograph
-0.3: the_plate the_show there_are this_recip this_sunset time to_$ to_know to_make tri vehicl
-0.3: visibl_in want way what_is what_the whi will_be wine wiper worker would_you year you you_can
-0.3: you_like you_provid you_will
-0.4: <1> <2> <article><article> <carrier>$ <given><textual> <life> <not><block> <other> <other>$
-0.4: <other><perceive> <output><given> <speaker><life> <textual><given> <user><perceive> ^<life>
-0.4: ^_now ^_pleas ^_would ^_your a_photo a_sloth actor adult album and_describ be_seen better box
-0.4: cabinet camera cat chatgpt choos climb cold content_of describ_a doctor doe edit funni guid
-0.4: happier has_no have_a here_is i_d i_took i_was if imag_and imag_not imag_of in_one is_a is_my
-0.4: is_not it_was jump keep label left letter librari lighthous lili lock lost magritt main
-0.4: man_iron me_a my_pictur na no_one not_my of_an of_the other passeng patient phone photo
-0.4: photo_of pipe plant player provid refus_to repli right river robot saint screenshot_of seat
-0.4: sensit share_this should_write shown_in singl smile_at stadium student sure_i taken templ
-0.4: that_the the_lake the_tower think think_about thirti this titl to_say to_take token tower
-0.4: tri_to trip umbrella up wall wear whole woman would_caption yet
-0.5: <article>$ <article><other> <article><task> <excuse><other> <what><article> ^_here ^_so ^_we
-0.5: a_girl a_messag babi billboard board boat bottl call canal card circl costum could_be day
-0.5: describ_the dress easi festiv film fish fog forgiv from_the given goat grandmoth green hope
-0.5: i_like i_love icon is_no is_to like_it minist name need need_no need_to no_peopl no_word
-0.5: not_a not_mine not_own okay old oop own_this pictur_show poster recip report resist ring road
-0.5: share short sorri_i station stop sunset sure text_in the_caption the_descript this_cake
-0.5: this_caption to_the took_this toy was_unabl websit what_els you_see you_upload
-0.6: <not><joined> ^_what am_not ani at_the bird but caption_the chain chair church cloud face
-0.6: fashion favorit fenc first fox hang human i_would idea justic kitten messag mine mockup
-0.6: mother not_help notic one_sentenc owl permit photo_you rock sale say_what see_in should
-0.6: the_man these this_imag this_photo this_pictur three warn you_are
-0.7: ^_i ^_yes about_the anim bar bridg caption_for come complet door edg explain few flood garden
-0.7: get hand help let_me light man mug new not_get pasta question see_the smoke t tast view_$
-0.7: which who yes_i
-0.8: <3> <not><carrier> <perceive>$ ^<carrier> ^_you below blur boy found his how imag_doe it_is
-0.8: on_the one pillow sloth so take ticket two user vector winter without
-0.9: <not><life> background cake d_caption find for_the from hors hous i_did not_stop screenshot
-0.9: smile were window word
-1.0: <not><other> ^_the appear blank car lake they
-1.1: can_see in love no_text now own shoe took
-1.2: <carrier> like plate seen task
-1.3: stamp
-1.4: visibl
-1.5: dog sentenc yes
-1.6: ^_a
-1.8: machin
"""
"""A weight and the features that have it, a row each (`engine.quality.refusal_features`)."""
