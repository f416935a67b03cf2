"""The weights of refusals, as `tests.engine.quality.train_refusals` finds them."""

BIAS = 0.0
"""What a text weighs that has no feature with a weight."""
WEIGHTS = """
1.8: rule
1.7: data imagen reason
1.6: que
1.5: about
1.4: caption someth upload
1.3: attach exist
1.2: bot content must subject
1.1: 400 anyth download i imag limit link play readabl result scene someon vision would
1.0: <given> address and_a attract de format laptop longer make me part request support surfboard
1.0: yellow
0.9: capabl declin drive fail giraff mix near out process puedo return thing unanswer valid
0.9: what_this
0.8: base chang cut for_me m modul ocean platform prompt respect s safeti send sens this_$ to while
0.8: written
0.7: <output> abil access can citi clearer depict file filter individu je keyboard load monitor or
0.7: real rug see_what sit ski the_peopl their this_one through top unavail ve with_tree young
0.6: <able> <given><given> <not><output> <request> <task> ^_not against are_you arriv be block code
0.6: current d describ descript desk did dock en facial i_must it_s la leav_this longer_exist me_$
0.6: mean mention minor none off output pass permiss pleas polici reach receiv recognit rectangl
0.6: remov room sexual ski_in skier sky skylin teddi this_would togeth too unabl use ver visual
0.6: what_it where workspac
0.5: <deliver><article> <missing> <not> <not><given> <not><task> <other><own> <refuse> <rule>
0.5: <speaker><not> <user><given> ^<not> ^_can ^_imag a_laptop a_mix a_surfboard a_valid a_wave
0.5: again anoth are_unabl bad been beyond blue_sky contain detail discuss drink due empti eye
0.5: happen i_can imag_show input intersect is it_contain it_show jpg larg legal live lo may
0.5: no_longer no_puedo not_write nuditi offer on_top order pair password pero pixel pizza plaid
0.5: prevent program refus respons serv servic shown skip slope soccer sofa softwar somehow
0.5: someon_is stone tell_what tenni the_subject to_view understand vase view wave work your_pictur
0.4: <article><given> <ask><given> <beyond> <deliver><given> <joined><not> <machine> <model>
0.4: <not><request> <output>$ <person><other> <request>$ <speaker><refuse> <task><person> <textual>
0.4: <what><given> ^<missing> ^_no ^_out a_descript a_platform a_red a_tall aerial all_i an_imag
0.4: and apologis artifici as_a ask_about at_pictur b base_on broke build_in came can_be caption_$
0.4: certain chatbot check china comment could_you cup decod difficult disabl do_that dont dusk
0.4: expir fli forest format_$ fresh further generat go grey guidelin have_eye herd here_$ i_will
0.4: imag_are imag_in imag_was in_this instead invalid is_in is_lie las leav live_room ll login low
0.4: meaning meant model mount my_rule natur newlyw next no_imag not_access not_open not_say noth
0.4: ocean_$ of_respect of_zebra on_my on_ski onli_read opinion out_a paste peopl_in pictur
0.4: plaid_shirt platform_under pole qualiti rather read_text respect_for retriev ride roof s_hard
0.4: shore side sight sinc snow_$ snowi solid sorri specul stand stretch subject_$ tall term the_$
0.4: the_attach the_messag the_ocean the_request the_scene there thing_in this_model to_describ
0.4: to_look to_pass to_see top_of train_at unfortun valid_imag velvet view_of view_this violenc
0.4: watch water wave_on weapon which_i will_not withheld
0.3: <able><given> <ask><article> <block> <deliver> <error> <error>$ <excuse> <excuse>$
0.3: <given><missing> <model><not> <not>$ <not><able> <not><perceive> <other><person>
0.3: <other><request> <other><textual> <own><able> <perceive> <perceive><person> <rule>$ <speaker>$
0.3: <speaker><able> <speaker><article> <speaker><given> <speaker><textual> ^$ ^<beyond> ^<error>
0.3: ^<joined> ^<machine> ^<refuse> ^<request> ^<task> ^_all ^_caption ^_in ^_it ^_permiss ^_photo
0.3: ^_refus ^_this a_caption a_clearer a_color a_glass a_minor a_placehold a_skier a_stop a_tenni
0.3: a_wall a_water a_white a_workspac a_yellow a_young address_$ after ahead air among an_iron
0.3: analys and_$ and_build and_have at_$ ball be_written behind_a beij blind break build bus_is
0.3: cake_togeth cant captur cat_is code_400 context convers could desk_with determin document
0.3: dog_on down dress_is drive_down due_to dure each enclosur entir error error_code
0.3: facial_recognit filter_$ float footbal for_your forgot form from_a front girl_in got has_been
0.3: i_d i_do i_m i_onli imag_did imag_fail imag_with imposs in_a in_order in_word intellig
0.3: interpret into iron_board is_drive is_fli is_limit kid kid_play lamp_$ languag laptop_$ later
0.3: lie_on link_is make_out man_on man_use monitor_and mount_at must_declin my_guidelin my_side
0.3: near_a need_a no_$ nope not not_describ not_do not_make not_read not_support not_view not_work
0.3: occur offic_desk open open_on or_a orang order_to out_of permiss_deni person_and photo_has
0.3: photo_not pictur_$ pictur_and pictur_are pictur_with pictur_you pleas_send pleas_tri posit
0.3: privat puedo_ver re read recognis red_doubl refer refus_$ regret retri ride_a roof_$ say_no
0.3: see_ani send_the should should_be show_an shown_$ skier_in smaller snow someth_i stop_here
0.3: stop_sign support_$ tabl tall_tower teddi_bear tell_me than the_link the_prompt the_snow
0.3: the_upload this_assist this_kind this_person this_photograph to_have to_it to_stop to_tell
0.3: togeth_$ tower_and tree_$ type unabl_to uniform use_an was_found was_remov wed_cake what
0.3: where_is white white_dress with_monitor workspac_with would_be write_about you you_ask
0.3: you_tell young_girl your_messag zebra_is
0.2: <able>$ <article><ask> <article><model> <article><own> <ask> <ask>$ <ask><again> <ask><ask>
0.2: <beyond>$ <beyond><own> <block>$ <block><article> <error><given> <given><life> <given><own>
0.2: <given><perceive> <given><user> <hard><perceive> <joined><article> <life><article>
0.2: <machine><not> <machine><textual> <missing>$ <missing><given> <model>$ <model><given>
0.2: <not><own> <not><person> <not><what> <only><carrier> <only><textual> <other><ask>
0.2: <other><model> <other><speaker> <other><task> <other><what> <output><block> <output><not>
0.2: <own><rule> <own><textual> <perceive><life> <perceive><perceive> <person><article>
0.2: <refuse><article> <refuse><given> <refuse><perceive> <speaker> <speaker><excuse>
0.2: <speaker><only> <speaker><person> <textual><other> <too><other> <user> <user>$ <user><article>
0.2: <user><ask> <user><deliver> <where><article> ^<able> ^<block> ^<deliver> ^<excuse> ^<given>
0.2: ^<model> ^<output> ^<perceive> ^<rule> ^<textual> ^_answer ^_becaus ^_could ^_due ^_for
0.2: ^_invalid ^_lo ^_load ^_my ^_none ^_our ^_pictur ^_somehow ^_sure ^_that ^_unabl ^_who
0.2: a_bouquet a_cake a_clean a_clear a_close a_dock a_fresh a_herd a_home a_keyboard a_larg a_live
0.2: a_login a_man a_meaning a_pair a_pictur a_pizza a_plaid a_pole a_snowi a_solid a_tabl a_teddi
0.2: a_text a_vase about_a about_someth aerial_view after_a again_in ahead_and air_abov an_aerial
0.2: an_artifici an_intersect an_orang and_groom and_i and_send ani_imag apolog appropri are_cut
0.2: are_disabl artifici_intellig assist at_dusk attach_$ attach_a be_open beach_$ becaus_it
0.2: been_upload board_mount bouquet bronz bus_on but_it but_this came_through caption_can
0.2: caption_here caption_it caption_of cat_on cat_sleep certain_what chat check_the chees
0.2: child_with children_in citi_at citi_with clean_kitchen close_up comment_on compli comput_on
0.2: concern content_is convers_$ cours cover_slope cozi cup_$ cupboard cut_their declin_$ decor
0.2: describ_$ describ_this descript_of develop differ difficult_to do_$ dock_stretch dont_have
0.2: doubl drink_water each_other eat els enabl engag enough_to ever exist_$ explicit eye_$ eye_to
0.2: fall featur_is file_$ file_was fli_over float_in flower footbal_dure for_legal forbid forget
0.2: from_comment from_describ from_me front_of giraff_eat giraff_in go_ahead groom_are guess happi
0.2: hard_to has_expir herd_of hi hmm home_offic honest howev hug hug_a i_apologis i_declin i_dont
0.2: i_ll if_there imag_again imag_captur imag_data imag_file imag_next imag_should imag_you
0.2: imageri in_front in_uniform in_your instead_of internal intersect_with into_a invalid_imag
0.2: is_drink is_empti is_float is_need is_ride is_serv is_sit is_text is_unavail it_broke jacket
0.2: kitchen kitchen_with know la_imagen languag_model larg_citi ledg legal_reason littl load_$
0.2: long match match_in me_but me_to me_what meaning_caption meant_to model_$ moder monitor_a more
0.2: more_than my_abil my_vision narrow near_$ newlyw_cut next_to no_descript no_photo none_$
0.2: none_in not_caption not_enough not_form not_here not_name not_part not_possibl not_process
0.2: not_provid not_someth not_there not_think noth_came noth_to null of_a of_content of_giraff
0.2: of_yellow oh on_their on_what onli_see open_your opinion_about orang_cat orient our our_rule
0.2: pair_of pajama part_of pepperoni perceiv pero_no person_$ photo_$ photo_i photograph pictur_in
0.2: pictur_is pictur_next pizza_on placehold play_a play_with pleas_check pleas_describ
0.2: pleas_upload pole_$ poor produc proper read_this real_peopl reason_i reason_of red_bus refrain
0.2: regret_that requir resolut restrict return_an riversid rocki room_$ room_with rule_$ s_imposs
0.2: safeti_$ scene_for scene_in sea set shall shirt shirt_play show_newlyw side_$ sight_$ sign_at
0.2: sit_on sleep_on slope_with someth_els sorri_$ sorri_no specul_about steep stretch_into
0.2: suppress surf surfer system tabbi talk_about tell_you text_$ than_i the_air the_keyboard
0.2: the_model the_photo the_rule the_server the_track their_face there_s there_was this_content
0.2: this_convers this_in this_request this_scene through_$ to_a to_each to_help to_interpret to_me
0.2: to_process tool track track_$ tree tree_in tri_a tri_again trigger two_giraff uncertain
0.2: uniform_run upload_$ vase_near version view_that violat wait_for was was_a was_an water_from
0.2: went wetsuit what_imag with with_rose without_the woman_in word_$ written_$ wrong
0.2: yellow_flower yellow_shirt yellow_tulip you_a you_mention you_ve you_want your_photo
0.2: zoo_enclosur
0.1: 403 404 <able><article> <able><block> <able><own> <able><person> <able><task> <again> <again>$
0.1: <article><again> <article><beyond> <article><carrier> <article><deliver> <article><life>
0.1: <article><missing> <article><not> <article><person> <article><rule> <article><speaker>
0.1: <article><too> <article><user> <article><when> <as> <as>$ <as><given> <as><model> <as><not>
0.1: <as><speaker> <as><task> <as><textual> <ask><own> <beyond><article> <beyond><beyond>
0.1: <beyond><other> <beyond><rule> <beyond><speaker> <block><block> <block><joined>
0.1: <block><output> <block><rule> <carrier><life> <carrier><textual> <carrier><user>
0.1: <deliver><again> <deliver><missing> <deliver><not> <error><joined> <error><other>
0.1: <error><perceive> <given><block> <given><deliver> <given><refuse> <given><request>
0.1: <given><task> <given><too> <given><when> <hard>$ <hard><task> <hard><what> <joined><able>
0.1: <joined><as> <joined><block> <joined><deliver> <joined><given> <joined><other>
0.1: <joined><perceive> <joined><task> <life><output> <life><user> <machine>$ <machine><carrier>
0.1: <machine><only> <machine><other> <missing><article> <missing><perceive> <missing><request>
0.1: <missing><where> <model><other> <model><output> <model><textual> <not><ask> <only><perceive>
0.1: <other><beyond> <other><block> <other><deliver> <other><machine> <other><output> <other><rule>
0.1: <other><too> <other><user> <output><able> <output><deliver> <output><given> <output><joined>
0.1: <output><other> <output><own> <output><perceive> <output><person> <output><rule> <own>
0.1: <own><block> <own><model> <own><not> <own><person> <own><what> <perceive><ask>
0.1: <perceive><error> <perceive><given> <perceive><missing> <perceive><other> <perceive><rule>
0.1: <perceive><task> <perceive><user> <refuse>$ <refuse><not> <refuse><output> <refuse><person>
0.1: <request><ask> <request><block> <request><given> <request><life> <request><other>
0.1: <request><rule> <rule><block> <rule><given> <speaker><hard> <speaker><machine>
0.1: <speaker><output> <speaker><request> <speaker><task> <speaker><user> <task>$ <task><article>
0.1: <task><other> <task><request> <task><what> <textual>$ <textual><model> <textual><not>
0.1: <textual><request> <textual><speaker> <textual><task> <textual><textual> <too><article>
0.1: <too><output> <too><own> <too><what> <user><missing> <user><output> <user><request>
0.1: <user><what> <what> <what><able> <what><error> <what><speaker> <what><task> <when><what>
0.1: <where> <where>$ <where><given> ^<as> ^<hard> ^<where> ^_ani ^_as ^_at ^_be ^_content
0.1: ^_descript ^_do ^_empti ^_error ^_even ^_file ^_hi ^_hmm ^_identifi ^_look ^_na ^_nope ^_null
0.1: ^_of ^_right ^_sad ^_sinc ^_thank ^_to ^_unfortun ^_where a_ball a_bird a_blue a_citi a_cozi
0.1: a_differ a_dog a_ladi a_lamp a_languag a_littl a_long a_match a_narrow a_park a_posit
0.1: a_problem a_real a_riversid a_short a_smaller a_snow a_steep a_still a_street a_surfer a_tabbi
0.1: a_view a_woman a_wooden abil_$ abil_to about_$ about_an about_is about_it abov abov_$ accept
0.1: access_imag access_pictur actual afraid again_$ again_and again_later against_our age
0.1: ai_develop all_that allow_a alon am am_unabl and_chees ani_pictur answer answer_$ anyon
0.1: anyth_$ anyth_about anyth_i anyth_in apolog_but are_off are_play are_stand arriv_$ as_it ask
0.1: assist_has assist_is at_a at_an at_it at_photo at_present attic attir attir_stand avail_to
0.1: avoid back_of be_a be_against be_analys be_caption be_describ be_discuss be_given be_happi
0.1: be_honest be_offer bear bear_$ bear_in becaus believ_i bird_is black_$ black_wetsuit
0.1: blank_page blind_to bodi bouquet_of boy_are bright bronz_statu bus_drive but_we by_me
0.1: by_safeti by_the cabinet_a cake_decor can_$ can_do can_onli can_process can_write canyon
0.1: caption_and caption_becaus caption_but caption_i caption_is caption_next captur_a case case_i
0.1: cat_rest chat_$ chees_is child clear clear_$ clear_enough clear_vase coach come_through
0.1: comfort comput_monitor content_$ content_and could_not cozi_room crimson cut_a d_be dark_$
0.1: decker decker_bus declin_the deep deep_canyon deni_$ depict_$ depict_a descend descend_a
0.1: describ_children describ_that descript_$ descript_can determin_what develop_by dim discuss_the
0.1: display do_it dock_on down_a down_the drive_$ dure_$ dure_a dusk_$ eat_leav empti_$ empti_file
0.1: enabl_for engag_with entir_black error_$ error_occur even_after fail_$ fail_a fall_outsid far
0.1: far_too feel file_but file_not file_type floor_$ for_that found_in from_their function game
0.1: gate_$ generat_$ generat_a giraff_are girl_play given given_ani goe got_the grand graphic gray
0.1: group_of had happi_to hard has has_not has_white have_$ have_the help_with help_you her_teddi
0.1: here_this hill hill_under honest_i i_am i_apolog i_current i_find i_got i_may i_receiv
0.1: i_regret i_think i_understand i_ve i_wrote ident_of identifi_peopl imag_$ imag_and imag_could
0.1: imag_depict imag_first imag_input imag_is imag_skip imag_that imag_to imag_yet imposs_to
0.1: in_pink in_the in_wed inappropri inconveni instruct internal_error irrespons is_a is_about
0.1: is_against is_attach is_broken is_entir is_explicit is_far is_i is_just is_noth is_shown is_so
0.1: is_someth is_too is_written it it_$ it_and it_appear it_it it_look it_through it_with it_would
0.1: jacket_on judg judg_the just_nois keyboard_$ kitchen_has know_$ ladi ladi_with lamp
0.1: larg_languag later_$ leav_from lie like_the link_$ link_you littl_girl ll_have long_wooden
0.1: look look_$ look_like low_for low_qualiti m_abl man_stand man_surf manag mani_$ may_not
0.1: may_violat me_an miss_$ miss_from model_i model_is moment more_context more_detail mountain
0.1: mountain_$ my_apolog my_instruct my_train narrow_gate need_the never_arriv night_view
0.1: no_access no_answer no_can no_caption no_output no_pictur no_to no_way nois nope_can not_$
0.1: not_allow not_among not_appropri not_been not_come not_depict not_discuss not_enabl not_engag
0.1: not_generat not_go not_guess not_identifi not_know not_let not_load not_pass not_reach not_see
0.1: not_to not_verifi noth_can noth_els noth_i nuditi_$ occur_while of_$ of_cours of_file of_it
0.1: of_kid of_me of_peopl of_shanghai of_this off_limit offic okay_but on_text on_this onc_i one_$
0.1: onli open_imag orient_$ our_polici our_system our_term outsid_what over_$ over_a pajama_hug
0.1: park_$ passeng_train pepperoni_and perfect person person_i person_is photo_contain photo_did
0.1: photo_in photo_next photograph_in photograph_to pictur_first pictur_from pictur_here
0.1: pictur_was pictur_would pink pink_pajama pizza_with place_to play_footbal play_soccer polici_$
0.1: pond_$ posit_to possibl_for prefer present present_in present_the privaci privat_individu
0.1: prompt_$ prompt_trigger proper_$ protect provid provid_$ provid_an qualiti_it question_ask
0.1: reach_the real_person reason_the receiv_text red_$ red_jacket refer_to refrain_from request_$
0.1: requir_an research resend resolut_is respons_was rest rest_on result_of riversid_citi road_$
0.1: rocki_ledg room_has run_after s_a s_age s_noth sad sand_$ say_anyth say_who sea_$ see_anyth
0.1: see_it see_one see_pictur see_this see_your send_me sent sent_$ sent_it server servic_is
0.1: sexual_content shanghai share_the shirt_$ shirt_is show_a show_children show_the sign_on
0.1: silver sinc_the size skier_descend skip_this sky_$ skylin_$ skylin_with slope_and small
0.1: snow_cover soccer_on someon_s someth_went sorri_but sorri_that stainless stand_$ stand_at
0.1: stand_next statu_and steep_hill street_$ such suppli support_imag sure_pleas surf_on surfer_in
0.1: tabl_$ tell templat templat_$ tent text_and text_is text_onli text_was thank thank_for that_$
0.1: that_address that_i that_one that_pictur that_s the_abil the_back the_bronz the_deep the_ident
0.1: the_kitchen the_low the_moment the_orient the_person the_pictur the_question the_resolut
0.1: the_respons the_sand the_sea the_servic the_skylin the_tool the_user their_wed think_it
0.1: this_but this_can this_case this_chat this_featur this_file this_system this_version to_assist
0.1: to_attach to_compli to_discuss to_generat to_privaci to_refus to_write toddler toddler_in
0.1: too_dark too_low train_on tri_me trigger_the tulip tulip_in type_is un unclear_to under
0.1: under_a understand_that unread upload_it upload_proper upload_the usag usag_polici use_$
0.1: user_did vase_$ ve_sent verifi version_of view_the violat_our visibl_to want_a want_to
0.1: was_block was_generat water_with we_can we_need wed_attir went_wrong wetsuit_$ white_cabinet
0.1: white_cupboard whom will with_balloon with_flower with_her with_me with_my with_pepperoni
0.1: with_the with_two with_wooden with_yellow withheld_$ woman_$ woman_sit wooden_dock
0.1: wooden_floor wooden_pier work_with would_need write write_anyth wrote you_go you_link you_sent
0.1: young_boy your_imag your_prompt your_request zebra zebra_stand
-0.1: 9000 <able><life> <able><what> <again><other> <article> <article><joined> <article><machine>
-0.1: <article><output> <article><refuse> <as><life> <ask><carrier> <ask><other> <ask><output>
-0.1: <ask><user> <block><able> <carrier><article> <carrier><deliver> <carrier><missing>
-0.1: <carrier><person> <deliver><carrier> <deliver><user> <error><carrier> <error><request>
-0.1: <error><when> <excuse><excuse> <excuse><not> <excuse><own> <given><ask> <given><machine>
-0.1: <given><other> <given><speaker> <hard><article> <hard><person> <life><own> <life><perceive>
-0.1: <machine><given> <machine><machine> <machine><output> <machine><request> <machine><what>
-0.1: <model><article> <model><life> <model><model> <not><article> <not><error> <not><excuse>
-0.1: <not><not> <not><speaker> <not><too> <not><when> <other><as> <other><hard> <other><missing>
-0.1: <other><not> <other><when> <output><as> <output><model> <output><request> <output><speaker>
-0.1: <output><user> <own>$ <own><carrier> <own><output> <own><speaker> <perceive><carrier>
-0.1: <perceive><model> <perceive><not> <perceive><textual> <perceive><what> <person><carrier>
-0.1: <person><given> <person><person> <person><task> <person><what> <refuse><request>
-0.1: <request><carrier> <request><machine> <request><perceive> <request><task> <request><what>
-0.1: <rule><article> <rule><other> <rule><request> <speaker><again> <speaker><other>
-0.1: <speaker><when> <task><given> <task><life> <too>$ <too><perceive> <user><carrier>
-0.1: <user><joined> <user><task> <user><when> <what><joined> <what><life> <what><machine>
-0.1: <what><model> <what><not> <what><output> <when><block> <when><other> <where><other> ^<person>
-0.1: ^<speaker> ^<user> ^<what> ^_ai ^_deni ^_explicit ^_forbidden ^_miss ^_never ^_okay ^_polici
-0.1: ^_question ^_reject ^_requir ^_restrict ^_send ^_share ^_sorri ^_upload ^_whi a_banner
-0.1: a_beach a_bear a_box a_broken a_camera a_car a_cardboard a_cartoon a_castl a_church a_climber
-0.1: a_crane a_doctor a_fallen a_femal a_film a_frame a_garden a_goat a_hand a_harbor a_heart
-0.1: a_kitten a_ladder a_letter a_map a_market a_model a_note a_notic a_phone a_photograph a_piano
-0.1: a_pier a_plate a_pool a_portrait a_queen a_rainbow a_result a_robot a_server a_sign a_singl
-0.1: a_stove a_teacher a_train a_tree a_vintag abl abl_to about_privaci about_that about_to across
-0.1: across_the action addit after_$ after_the ai_model airport ala all_day all_over along_a alway
-0.1: am_sorri an_ad an_error an_offic and_can and_no and_this ani_more ani_peopl ani_text anim_are
-0.1: apolog_to are_$ arm_$ around art_$ artwork as_an as_he as_the as_this as_you ask_me asleep
-0.1: at_this attach_to avail_in away back_$ back_to background_$ background_is bag bag_$ bake
-0.1: bakeri ball_$ balloon_$ band banner_at barn basket_$ be_glad be_identifi be_love be_read
-0.1: be_the bed_$ befor befor_the believ_it besid between bird_$ bird_in birthday black blue
-0.1: blue_$ boat_is book box_$ box_is boy_on bride bridg_has bridg_of build_$ bulldog burger
-0.1: bus_pass busi but_a but_no but_sand by_a cactus cake_but cake_is calm camera_$ camp cancel
-0.1: candi cann captcha caption_could car_$ car_in cardboard carri castl_in cat_$ censor chair_$
-0.1: chalkboard checkbox checkbox_on children choos_a church_a clear_what climb_a climber clock_$
-0.1: close cloud_$ coat coffe complet_without comput_$ concept confer contain_no cooki countri
-0.1: cover_$ crane cream crowd curtain cute dancer declin_to deni deni_stamp desert diner distanc
-0.1: dog_in doormat down_$ draw_of easi_to els_$ end_of entri error_in error_page ethic except
-0.1: except_for face_in face_of fail_to featur_a femal_tenni field_$ file_in file_that file_the
-0.1: film_still find_this first_a fisherman flat focus food form_$ fountain fox_in frame frame_$
-0.1: fri from_this fruit full_of get_a girl_$ give_me glad glad_to glare glass_vase glow go_to
-0.1: goalkeep goat_on grill groom group_$ grumpi guest gym hal half hand_$ handwritten hang_on
-0.1: harbor hat have have_been have_not hear heart heel_in helmet help_a hide hill_$ him hint
-0.1: hoodi hous_$ how_to hug_$ i_believ i_forgot i_refus i_said i_should ice idea_what ident
-0.1: ident_is identifi identifi_becaus imag_from imag_it imag_seem imag_the in_an in_english
-0.1: in_sight inform insid into_the is_blank is_imposs is_open is_visibl is_what it_a it_imposs
-0.1: just_a kind_of know_what know_who lamp_in larg_wave late leaf leav_$ left_on librari_$ log
-0.1: logo lyric m_just m_sorri made_out make_this maker man_can man_s mani mani_build manual mask
-0.1: me_the measur men messag_$ model_can monday monitor_$ monkey morn mous mr mud mural museum
-0.1: my_cat my_first need_for need_you night_$ no_anim no_car no_furnitur no_idea no_inform
-0.1: no_other no_snow no_train none_of not_all not_amus not_avail not_clear not_even not_found
-0.1: not_have not_includ not_known not_like not_need not_readabl not_seen not_sharp not_show
-0.1: not_the not_today noth_on notic_in notic_on number object of_water of_your offic_$ on on_$
-0.1: one_sentenc open_it over_the page page_of paint palm pari pass_$ passeng_wait past peopl_are
-0.1: pepperoni_$ permit_in person_in person_whose photo_a photo_are photo_doe photo_here photo_is
-0.1: photo_show photo_was photograph_$ photographi piano_and pictur_a pictur_again pictur_befor
-0.1: pictur_i pictur_it pictur_of pictur_onli pier_$ pier_in pizza_$ placard place placehold_icon
-0.1: plane plate_of player_about plaza_$ pleas_give pleas_share pond pond_with portrait_of power
-0.1: print_$ print_on privaci_pleas prize puppi_$ question_what rainbow rather_be read_$ read_a
-0.1: receiv_a record regret_noth reject remov_from replac restrict_area ride_$ right_now right_to
-0.1: river_$ rock_$ row s_face s_ident s_not safe same say_a scene_$ sculptur see see_a see_here
-0.1: see_no see_that seem_that seem_to seen_$ seen_a seen_on sever shade shadow shake shape
-0.1: share_it sheet sheet_music shelf ship shirt_and shoe_$ shop short_caption show_no show_you
-0.1: sign_$ sign_in sing sink sketch_of so_a sofa_$ sorri_for spot stain_glass stair stand_in star
-0.1: state station_$ step still_$ still_of stop_$ stove_and stuck studio summer swim system_doe
-0.1: tall_$ tear tenni_player text_on text_or than_this thank_you that_can that_photo that_say
-0.1: the_actor the_assist the_babi the_beach the_bench the_best the_boat the_bride the_bridg
-0.1: the_cake the_camera the_citi the_clock the_color the_content the_distanc the_dress the_eclips
-0.1: the_end the_eye the_floor the_front the_goalkeep the_kid the_last the_mess the_moon
-0.1: the_mountain the_owner the_rain the_right the_road the_roof the_sign the_sky the_sun
-0.1: the_system the_tabl the_text the_titl the_way the_wed the_whole the_window the_woman the_wood
-0.1: these_shoe this_cactus this_car this_cat this_dress this_old this_puppi this_tool titl_of
-0.1: to_an to_caption to_choos to_climb to_comment to_fli to_identifi to_jump to_land to_laugh
-0.1: to_open to_reach to_resist to_share to_upload to_walk tote town tri truck tulip_$ turn
-0.1: turn_out two_children umbrella_$ under_$ under_the unfortun_for up_of upload_of user_describ
-0.1: van view_from vintag vinyl_singl visibl_behind visitor wait_to wall_$ wall_art warn_that
-0.1: was_taken water_a wave_near we_are we_do weather web wed what_do what_pictur when which_the
-0.1: white_lili white_wall who_is whose_face window_$ wine_glass wing with_an with_fri with_no
-0.1: with_their with_your wolf woman_is woman_play word_on worri written_on yellow_$ you_are
-0.1: you_be you_for you_have you_i you_to your your_mother zoo zoo_$
-0.2: <able><other> <article><hard> <article><what> <ask><perceive> <block><other>
-0.2: <carrier><carrier> <carrier><not> <carrier><other> <carrier><perceive> <deliver><perceive>
-0.2: <excuse><article> <excuse><carrier> <excuse><speaker> <given><article> <given><what>
-0.2: <joined>$ <joined><life> <life><given> <machine><article> <other><carrier> <other><given>
-0.2: <other><joined> <other><refuse> <own><given> <own><joined> <perceive><joined>
-0.2: <person><perceive> <refuse><other> <speaker><joined> <speaker><own> <speaker><perceive>
-0.2: <speaker><too> <task><joined> <user><other> <user><user> <what><other> <what><perceive>
-0.2: <what><what> <when> <when>$ ^<own> ^_forgiv ^_human ^_noth ^_privaci ^_tri ^_violat ^_without
-0.2: ^_yes ^_your a a_balloon a_better a_black a_blur a_bowl a_bridg a_chain a_doubl a_draw a_file
-0.2: a_green a_hors a_lake a_lock a_person a_pipe a_river a_warn a_websit a_zebra ad ai_generat
-0.2: all allow allow_in allow_to amus an an_ai an_old and_the and_white and_yellow answer_a
-0.2: appear_to appl are_no are_not are_shown artist assist_a assist_can at_night at_noon ate
-0.2: banner basket beach_with becaus_the behind black_and blur_and bowl_of bridg_$ broken bus
-0.2: but_the buy caption_that card_with cartoon cat_under chart chicken clock color_$ comput crack
-0.2: cross describ_the descript_below design did_$ do do_not doe_not dog_and dog_with door_$
-0.2: dress_$ driver eclips egg english enter enter_the face_are face_is fair fallen fan featur
-0.2: femal field_with file_is flag flood_the for for_this forgiv_me found_$ four furnitur garag
-0.2: garden_$ gate_in glass glass_$ grandmoth_$ head hedg hidden high hold hors_$ how_much hurt
-0.2: i_look i_need identifi_this illustr imag_appear imag_featur imag_here imag_need imag_onli
-0.2: in_it in_my in_red includ is_it is_unknown it_again it_i it_in just kitchen_$ known label
-0.2: lack land last laugh life line lit live_$ live_at load_more love_this m_go made_of man_and
-0.2: man_who map march market me_think mess miss miss_a much_i mug_$ my_favorit my_grandmoth net
-0.2: never night no_face not_abl not_be not_easi not_from not_recognis not_sorri not_wait note
-0.2: noth_but noth_is null_and of of_canal older on_it one one_is onli_a origin our_trip owner
-0.2: page_with peopl_$ peopl_onli person_pillow person_who pictur_becaus pictur_but pictur_doe
-0.2: pictur_that pie pillow_$ plate_$ plate_but pleas_do pool portrait post poster_$ puppi queen
-0.2: red remov_the rider rose rose_$ s_the said say second see_me see_you seem sensit_content
-0.2: sentenc_$ shoe_with should_write shown_here shown_in sketch sleev snake so_here song
-0.2: sorri_not speak squar stage stamp_in sticker stove sure_i system_of take_a tattoo text that_a
-0.2: that_is the_background the_ball the_bird the_bottl the_box the_file the_gate the_hors
-0.2: the_imag the_name the_plate the_red the_show the_stadium the_statu the_street the_templ
-0.2: the_tree the_wall the_word theater there_are there_is think_of think_this this_is this_recip
-0.2: this_sunset this_task to_answer to_be to_enter to_your today tower_is traffic train_$
-0.2: tree_and trip_to two_girl user_what vector_$ vehicl vinyl wait walk want was_never wed_$
-0.2: what_is what_you whose win with_a without_my wood you_and you_hang you_how you_provid you_see
-0.2: zebra_in
-0.3: <article><task> <given><carrier> <given><joined> <given><textual> <life> <life>$ <not><block>
-0.3: <only><other> <other><other> <person>$ <person><not> <speaker><carrier> <textual><article>
-0.3: <textual><given> <user><perceive> <what><article> ^<article> ^<other> ^_an ^_let ^_onc ^_oop
-0.3: ^_sensit a_boy a_bus a_fox a_screenshot ai album along an_answer are are_visibl area arm art
-0.3: bandana be_recogn bed behind_the believ best billboard_mockup black_dress blue_and board_$
-0.3: box boy_with bus_$ but_i call can_describ can_tell castl choos cliff coin contain_ani
-0.3: content_of describ_how did_it do_justic doctor duck edit error_messag find_a find_the finish
-0.3: for_children for_sale from_our full gate girl_with give grow guitar hall have_ani heel
-0.3: help_but her here_a here_is huge i_could i_see i_want icon_vector imag_can imag_i in_which
-0.3: iron_$ is_on is_still justic_to kind ladder lake_$ leav_the left let_me letter librari
-0.3: like_this lost machin_$ man_iron matter me_a messag_on moon mouth music my na name no_file
-0.3: no_visibl not_contain not_find not_for not_sure not_tell of_an of_my of_the okay on_a on_an
-0.3: onc oop_i open_the over passeng patient photo_which plaza pleas_come possibl possibl_to print
-0.3: quot rain recogn secur share_this sharp she sloth_$ so_i sorri_about stain street student sun
-0.3: sure sweatshirt t_shirt taken task_i teacher teapot the_caption the_cloud the_descript
-0.3: the_face the_lake the_photograph the_tower this_a time titl to_$ to_find umbrella up us
-0.3: visibl_in visibl_text wall we we_have what_the whi which_show who_can whole wine woman worker
-0.3: write_a year you_do
-0.4: <article><article> <article><perceive> <carrier>$ <excuse><other> <given><not>
-0.4: <missing><other> <not><textual> <other>$ <own><other> <speaker><life> ^<life> ^_here ^_pleas
-0.4: ^_there ^_user ^_we a_lighthous a_photo about_the actor adult avail balloon be_seen bench
-0.4: better board boat bottl cabinet can_see canal caption_this cat chatgpt climb could_be day
-0.4: describ_a doe draw dress festiv film for_the forgiv from_the funni girl guid has_no have_a
-0.4: here home i_love i_was i_would idea if imag_a imag_contain imag_not is_my is_no is_not is_the
-0.4: it_was jump key let lili lock made magritt meme mind minist move much newspap no noon not_a
-0.4: not_my other phone photo photo_of piano pipe player protest refus_to repli report resist
-0.4: river robot saint seat sensit show_$ smile_at stadium statu stop swing tag templ that_it
-0.4: that_no that_the the_dog think_about this this_cake to_take to_the tower toy tri_to trip
-0.4: was_unabl way wear websit will_describ wiper
-0.5: <1> <2> <article>$ <other> <other><perceive> a_girl a_messag a_sloth am_not babi beach below
-0.5: billboard but camera caption_a card chain chair cherri church circl costum easi fashion field
-0.5: fog grandmoth happier i_like i_took icon imag_of kitten like_it my_pictur need_no need_to
-0.5: no_one no_word not_mine old oop own_this permit plant question recip right road say_what
-0.5: screenshot_of see_the singl sorri_i station sunset text_in the_man these this_photo to_say
-0.5: took_this warn who yes you_can
-0.6: <article><other> <not><joined> ^_so bar bicycl bowl cloud cold edg enough explain favorit
-0.6: fenc fish garden goat green hand justic light man mine mockup mother mug no_peopl not_get
-0.6: not_help not_own notic owl poster ring see_in share smoke t think user word yet
-0.7: <3> <not><carrier> <perceive>$ ^<carrier> ^_what ^_you anim at_the bird bridg cake come first
-0.7: flood found fox get hang human imag_doe messag need new now on_the pasta pictur_show pillow
-0.7: rock sale sentenc tast this_imag this_pictur three view_$
-0.8: <not><other> ani blur complet door from help his hors i_did it_is lighthous take they ticket
-0.8: which window
-0.9: <not><life> ^_i background boy car lake not_stop shoe smile so vector were winter without
-1.0: ^_the appear blank face find hous in plate screenshot task
-1.1: how love no_text seen sloth two
-1.2: <carrier> like own took
-1.3: stamp
-1.4: dog visibl
-1.7: ^_a machin
"""
"""A weight and the features that have it, a row each (`engine.quality.refusal_features`)."""
