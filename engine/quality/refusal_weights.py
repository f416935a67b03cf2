"""The weights of refusals, as `tests.engine.quality.train_refusals` finds them."""

BIAS = -1.0
"""What a text weighs that has no feature with a weight."""
WEIGHTS = """
2.1: someth
1.8: attach
1.7: rule
1.6: about reason
1.5: limit out pass subject
1.4: filter play return scene send upload
1.3: 400 data exist que request
1.2: format load off offlin respect this_one
1.1: content de declin download for_me imag imagen part pass_on rug safeti support to vision
1.0: <given> <not><output> attract clue eye link m none readabl through valid ve workspac written
0.9: add address and_a bad ball block bot clearer depict discuss je mean puedo shed side unanswer
0.9: understand with_tree withheld
0.8: <not> <not><given> <not><task> a_caption alon anyth base chang desk fail giraff go here_$ into
0.8: ll must noth on_my or platform prevent result sens ski someon the_peopl thing topic violenc
0.8: what_photo where while work
0.7: <ask><given> <beyond> <missing> <refuse> <request> ^_caption ^_my a_no abil access been beyond
0.7: can_not describir drive en file foto i injuri it_s make me mix modul monitor ninguna
0.7: not_describ offer on_this order process real refus skylin slope sorri stand subject_$ switch
0.7: the_attach us wish yellow
0.6: <deliver><article> <rule> ^<beyond> ^<not> again against apolog are_you arriv beij can_be
0.6: chatbot current cut descript determin did dock forgot generat ha hmm i_must i_will imposs
0.6: individu is languag laptop leav let_us longer_exist me_$ moment my_side natur near no_clue
0.6: not_write plaid program prompt rather retri room sad se servic sexual ski_in success surf
0.6: surfboard teddi the_$ this_$ to_look to_see violent visual what_it what_this
0.5: <given><given> <not>$ <request>$ <task> <task><person> ^<missing> ^_imag ^_not a_color a_valid
0.5: a_workspac abov ball_on be_written capabl caption_and chang_the china describ_$ differ down
0.5: drive_down due facial fall forbid further i_can i_onli imag_a in_order input instead insuffici
0.5: it_contain it_show la learn leav_this legal littl live live_room lo london mind minor mount
0.5: my_rule no_$ no_go no_longer no_readabl not not_work ocean of_a onc opinion order_to out_a
0.5: output password perfect pero pole polici posit produc proper remov respons retriev rule_$ s
0.5: sea serv shall shall_we sit skier sky smaller snow soccer sorri_$ space stop_sign tell_what
0.5: tenni this_in this_person this_would to_pass to_view tool tree_in unavail use valid_imag ver
0.5: workspac_with would
0.4: <able> <ask><article> <block> <error> <excuse>$ <joined><not> <missing>$ <model>
0.4: <not><perceive> <not><request> <other><own> <other><speaker> <other><task> <output>
0.4: <output><not> <perceive> <person><other> <refuse>$ <rule>$ <speaker><not> <speaker><refuse>
0.4: <textual> ^<refuse> ^_as ^_can ^_if ^_this ^_which a_clearer a_descript a_pictur a_tenni
0.4: add_the address_$ aerial all_i among anoth answer_was apologis are_unabl artifici ask b cant
0.4: caption caption_can check code comment compli contain could could_you desk_$ detail disabl
0.4: display footbal for_a function got guess guidelin have_eye honest i_ll i_understand i_wish
0.4: imag_is imag_was in_this in_word inappropri is_offlin kitchen larg las make_out match meaning
0.4: mention model must_declin my_vision need_the ninguna_imagen no_puedo not_caption not_here
0.4: not_make not_support not_view nuditi on_ski pair peopl_in permiss piec pizza pleas qualiti re
0.4: reach read_text receiv recognis recognit rectangl refus_$ requir respond s_hard see_what
0.4: send_the shed_$ show_an sight sinc skip snow_$ softwar sorri_no stop_by such talk talk_about
0.4: teddi_bear term the_messag the_scene their there_s there_was thing_in this_assist this_model
0.4: to_help to_me to_tell togeth top tower_and unabl unfortun unsupport vision_is was_stop watch
0.4: weapon will_not wish_i without_the write_about wrote you_forgot you_talk you_ve young
0.4: your_messag your_photo
0.3: <able><given> <article><own> <article><speaker> <ask><ask> <beyond>$ <beyond><own>
0.3: <block><article> <block><block> <deliver> <error>$ <error><given> <excuse> <given><missing>
0.3: <given><perceive> <joined><article> <machine><not> <not><own> <only><carrier> <other><person>
0.3: <other><request> <output><block> <output><perceive> <own><able> <refuse><given> <speaker>
0.3: <speaker><able> <speaker><article> <speaker><textual> <textual><other> <user>$ <user><article>
0.3: <user><given> <what><given> ^<deliver> ^<error> ^<joined> ^<request> ^<textual> ^<when> ^_all
0.3: ^_apolog ^_becaus ^_declin ^_descript ^_did ^_due ^_for ^_hmm ^_insuffici ^_it ^_lo ^_no
0.3: ^_none ^_our ^_respons ^_unabl ^_where a_$ a_close a_laptop a_live a_look a_man a_mix
0.3: a_placehold a_plaid a_pole a_posit a_red a_stop a_surfboard a_tall a_thing a_wall a_wave
0.3: a_white a_young about_this aerial_view air air_abov am an_imag and and_build answer answer_$
0.3: as_a ask_about attach_$ attir base_on be_recognis bear_in becaus_it bodi build_in by can_do
0.3: caption_but certain chat chees citi clear_enough close_up color comfort comput_on context
0.3: cours cover_slope cozi d_like decor deni_$ descript_for did_you do_$ dog_on down_a dress_is
0.3: enabl enough_to entir error expir extend fail_$ far file_was find_it fli float flower forest
0.3: forget forget_to forgot_the format_$ frame_is from_a girl_in goe groom_are group happen hard
0.3: hard_to have he hill hmm_i i_do i_find i_m imag_could imag_data imag_did imag_fail imag_in
0.3: imag_modul imag_no imag_show imag_you imposs_to in_your interpret into_$ invalid invis is_in
0.3: is_lie is_limit is_serv is_switch is_too jacket keyboard kid kid_play know_$ lamp_$
0.3: languag_model let_s like_caption link_is load_of longer low make_sens man_surf may meant
0.3: miss_$ modern monitor_and my_abil my_camera my_end need_a next no_can no_caption no_imag
0.3: no_photo no_pictur no_se not_$ not_do not_enough not_offer not_provid not_read not_success
0.3: not_think occur of_children of_zebra off_limit offic_desk on on_top onc_i one_it opinion_about
0.3: or_a orang our_tool out_of outsid oven paste pepperoni pero_no person_$ photo_not pictur
0.3: pictur_are pictur_here pictur_is pictur_would pictur_you play_with pleas_check pleas_tri
0.3: pole_$ poor posit_to promot provid_the puedo_ver red_doubl refer regret screen screen_a se_ha
0.3: sea_$ send_it sens_of share_the show_a small snow_cover somehow someth_els station_platform
0.3: summari surf_on switch_off tall tall_tower tell_me text_$ than_i that that_i that_one
0.3: the_frame the_moment the_ocean the_program the_request the_sea the_snow the_subject the_topic
0.3: the_upload there_appear this_it this_photograph to_caption to_it to_send too tri_a tulip_in
0.3: two_screen unread upload_proper vase_near veri view_of violat want_a was_a was_found
0.3: water_with we_chang wed_cake went what_imag which_i which_pictur white white_dress will
0.3: with_flower with_monitor would_need written_without you_forget you_tell young_girl zoo
0.2: <able>$ <again> <article><again> <article><given> <article><missing> <article><model>
0.2: <article><rule> <ask> <ask>$ <ask><again> <ask><when> <block>$ <block><output> <block><person>
0.2: <deliver><given> <error><article> <error><perceive> <given><again> <given><own> <given><task>
0.2: <hard><perceive> <hard><what> <joined><given> <joined><perceive> <joined><speaker>
0.2: <life><user> <machine> <machine><other> <machine><textual> <missing><given> <model>$
0.2: <model><given> <model><not> <not><able> <not><deliver> <not><what> <only><textual>
0.2: <other><beyond> <other><model> <other><textual> <other><user> <other><what> <output><other>
0.2: <own><block> <own><rule> <own><textual> <perceive><life> <perceive><missing>
0.2: <perceive><person> <person><article> <refuse><perceive> <request><block> <request><given>
0.2: <speaker><given> <speaker><only> <speaker><person> <task><article> <task><other> <too>
0.2: <too><article> <too><output> <user><deliver> <user><not> <what> <what>$ <when><what> <where>
0.2: <where>$ <where><article> <where><given> ^$ ^<ask> ^<block> ^<excuse> ^<machine> ^<model>
0.2: ^<rule> ^_access ^_answer ^_could ^_imposs ^_load ^_of ^_pictur ^_sad ^_somehow ^_unfortun
0.2: ^_who a_ball a_blue a_cozi a_differ a_field a_group a_home a_lamp a_languag a_larg a_match
0.2: a_meaning a_minor a_pair a_park a_platform a_skier a_smaller a_station a_vehicl a_wooden
0.2: a_yellow about_$ about_a about_it about_someth abov_a actual after_a again_$ against_my
0.2: allow_a an_aerial an_artifici an_iron an_orang analys and_groom and_i and_it anyth_about
0.2: anyth_i apolog_but apolog_this apologis_this arch are_cut are_off are_play are_stand ask_for
0.2: at_$ at_it at_photo at_pictur attach_a attach_the attir_stand balanc be be_describ
0.2: be_inappropri be_open behind_a bird_is blind board_mount boy_are break build_lit built bus_is
0.2: bus_on but_pictur by_the by_this cake_togeth came_through can_$ caption_here caption_in captur
0.2: cat_on cat_sleep child children_in clear clear_vase code_400 come_through comment_on convers
0.2: corrupt could_describ creat cup d_love d_need declin_$ deep descend describ_in describ_this
0.2: describ_with descript_$ do_it do_that dock_on down_the drink due_to dure each els_$ empti
0.2: empti_$ enclosur end error_code exist_$ facial_recognit fall_outsid feel field field_$ file_$
0.2: filter_$ flower_$ follow footbal_dure for_legal frame fresh from_comment front girl_play glad
0.2: go_$ goe_against grey group_of has_been has_white have_the herd hill_under hold home_offic
0.2: how_to howev hurt i_apologis i_regret i_think i_wrote if_you imag_are imag_depict imag_first
0.2: imag_miss imag_to in_a in_detail in_front in_london instead_of instruct intellig internal
0.2: iron_board is_drive is_empti is_float is_littl is_need is_none is_unclear it it_a it_of it_onc
0.2: jacket_on kitchen_has kitchen_with la_imagen lake_with lamp later_$ learn_how ledg
0.2: legal_reason let lie_on like_the limit_$ littl_girl ll_have load_$ login look_like love_to
0.2: man_on man_use match_in me_and meaning_caption medic mind_upload misti model_$ moder more_than
0.2: my_apolog my_guidelin my_instruct near_$ never_sent next_$ next_to no_vision none_in nope
0.2: not_access not_among not_appear not_depict not_discuss not_identifi not_let not_load not_name
0.2: not_produc not_say not_someth not_talk not_there noth_came null of_cours of_what on_how
0.2: onc_more one_i onli onli_see orang_cat orient our_guidelin park park_$ path person
0.2: person_would photo_befor photo_did photo_is photo_it photo_should pictur_do pictur_there
0.2: piec_of pixel pizza_on placehold plaid_shirt platform_$ platform_under play_$ play_footbal
0.2: pleas_retri pleas_send pleas_upload possibl_$ prefer produc_a provid provid_an qualiti_i
0.2: rather_pass read real_peopl reason_i red_bus red_jacket refrain regret_that reject request_$
0.2: resolut respond_to rest return_an ride ride_a riversid riversid_citi roof room_with s_imposs
0.2: sad_the safeti_$ say_anyth say_no scene_for see_ani see_it see_your send_me serv_a share_your
0.2: shirt_play shore should_be should_describ should_i show show_on show_up shown shown_$ side_$
0.2: sign_on skylin_$ small_to snowi so_that solid someth_i soon sorri_but speak stand_behind
0.2: stand_next steep steep_hill still_lake still_learn stone street_in stretch support_$ system
0.2: tabl_$ tell_you templat term_of text_but that_$ that_you the_air the_answer the_link the_model
0.2: the_prompt the_rule there think_i this_fall this_kind this_request this_scene this_servic
0.2: through_$ through_on time time_out to_answer to_describ to_interpret to_process to_respond
0.2: to_stop today_$ toddler_in togeth_$ too_small top_of track_$ train_at tree tri_again turn
0.2: two_giraff unabl_to unclear unclear_to uniform upload_it upload_the use_an valley vase ve_sent
0.2: vehicl_$ velvet version view view_that violat_the vision_support wait_for was was_an wave_on
0.2: we_talk wetsuit where_is white_cabinet with_two woman_in wooden_dock would_go would_not wound
0.2: write_a written_$ yellow_shirt yellow_tulip you_ask you_d you_mean you_send you_share you_want
0.2: young_boy your_imag
0.1: <able><article> <able><block> <able><not> <able><perceive> <able><person> <able><textual>
0.1: <again>$ <again><article> <again><given> <article> <article><ask> <article><beyond>
0.1: <article><block> <article><carrier> <article><error> <article><life> <article><person>
0.1: <article><request> <article><too> <article><when> <as><article> <as><given> <as><model>
0.1: <as><not> <as><speaker> <as><task> <as><textual> <ask><own> <ask><request> <ask><what>
0.1: <beyond><able> <beyond><article> <beyond><beyond> <beyond><other> <beyond><rule>
0.1: <beyond><speaker> <beyond><task> <beyond><what> <block><carrier> <block><joined> <block><rule>
0.1: <carrier><article> <carrier><life> <carrier><textual> <carrier><user> <deliver>$
0.1: <deliver><again> <deliver><missing> <deliver><model> <deliver><not> <deliver><own>
0.1: <deliver><request> <error><joined> <error><other> <excuse><given> <given><able> <given><block>
0.1: <given><life> <given><other> <given><output> <given><refuse> <given><rule> <given><speaker>
0.1: <given><too> <given><user> <given><when> <hard> <hard>$ <hard><given> <hard><own> <hard><task>
0.1: <joined> <joined><deliver> <joined><other> <joined><task> <machine><carrier> <machine><refuse>
0.1: <missing><article> <missing><perceive> <missing><request> <missing><where> <model><able>
0.1: <model><other> <model><output> <model><refuse> <model><task> <not><model> <not><person>
0.1: <only><deliver> <only><missing> <only><perceive> <other><article> <other><block>
0.1: <other><deliver> <other><machine> <other><missing> <other><rule> <other><too> <output><able>
0.1: <output><carrier> <output><joined> <output><own> <output><person> <output><rule>
0.1: <output><textual> <own> <own>$ <own><missing> <own><model> <own><not> <own><own> <own><refuse>
0.1: <own><what> <perceive><error> <perceive><hard> <perceive><other> <perceive><output>
0.1: <perceive><perceive> <perceive><rule> <person> <person><rule> <refuse><article>
0.1: <refuse><output> <refuse><task> <request><able> <request><ask> <request><person>
0.1: <request><rule> <rule><given> <rule><not> <rule><perceive> <rule><task> <speaker>$
0.1: <speaker><excuse> <speaker><hard> <speaker><machine> <speaker><missing> <speaker><output>
0.1: <speaker><request> <speaker><speaker> <task><able> <task><output> <task><own> <task><speaker>
0.1: <task><what> <task><when> <textual><able> <textual><model> <textual><not> <textual><speaker>
0.1: <textual><textual> <too><other> <too><own> <too><request> <too><task> <too><what>
0.1: <user><again> <user><ask> <user><own> <user><request> <what><able> <what><missing> <what><own>
0.1: <what><request> <what><task> <when> <when><article> <when><speaker> <when><task> <when><user>
0.1: ^<able> ^<hard> ^<task> ^<user> ^<where> ^_ani ^_at ^_be ^_content ^_describ ^_empti ^_error
0.1: ^_even ^_file ^_have ^_invalid ^_nobodi ^_nope ^_null ^_photo ^_provid ^_see ^_sinc ^_that
0.1: a_bed a_bird a_blank a_bouquet a_bride a_clean a_clear a_comput a_desk a_dock a_forest a_fresh
0.1: a_game a_giraff a_gray a_herd a_lake a_littl a_login a_long a_narrow a_pepperoni a_photograph
0.1: a_pizza a_problem a_real a_riversid a_snow a_snowi a_solid a_steep a_still a_stone a_street
0.1: a_surfer a_tabl a_teddi a_text a_toddler a_zoo abil_$ abil_to abov_$ accept access_the accid
0.1: after again_in against_our age ai_develop allow_$ am_go among_my among_the an_empti an_oven
0.1: and_chees ani_imag ani_pictur ani_text answer_i answer_that anyth_$ anyth_in appear_on
0.1: appear_to appreci appropri arch_$ are_a arriv_$ artifici_intellig as_an as_i as_it as_soon
0.1: assist_has assist_i assist_is assist_with at_present at_that at_what attach_is babi_is back_of
0.1: balloon_$ be_analys be_load be_offer beach_$ bear becaus befor_i behind_$ beyond_me black
0.1: black_$ black_wetsuit blind_to block_by bouquet bouquet_of bride_and bronz bronz_statu build
0.1: bus_drive but_describ but_this but_your by_$ by_me by_safeti cake_decor came can can_onli
0.1: can_say cant_see canyon caption_becaus caption_next caption_pictur caption_that caption_will
0.1: caption_with captur_a case cat_is cat_rest certain_what chat_$ check_the chees_is child_with
0.1: children_$ citi_skylin citi_with clean_kitchen cloth_on coach comfort_write concern
0.1: contain_nuditi contain_of content_$ content_polici convers_$ could_not could_tell cover
0.1: cozi_room cup_$ cut_$ cut_their d_prefer d_rather dark dark_$ declin_the declin_to decod
0.1: depict_$ depict_a descend_a describ_and describ_what descript_can descript_not desk_with
0.1: determin_what develop develop_by did_not dim direct disabl_$ discuss_someth discuss_the
0.1: dock_stretch dont dont_have download_the drink_water dure_a each_other enabl_for enclosur_with
0.1: enough_for entir_black error_$ error_occur even explicit eye_$ eye_to face_$ face_are
0.1: fall_under far_too feel_comfort fetch file_but file_it fli_$ fli_over float_in floor floor_an
0.1: for_reach for_that forbidden form fresh_bake from_me front_of game gate_$ gave gave_me
0.1: generat_a get_the giraff_$ giraff_eat giraff_in giraff_stand gore got_the graphic gray had has
0.1: have_$ help_$ her_teddi herd_of here_the hi hold_a hug i_am i_apolog i_appreci i_cant
0.1: i_current i_dont i_got i_know i_may i_never i_receiv i_ve i_write ident_of identifi_by
0.1: identifi_peopl if_there imag_again imag_but imag_captur imag_next imag_promot imag_should
0.1: imag_so imag_the imag_with imag_yet imageri in_$ in_the in_uniform in_wed inconveni input_$
0.1: internal_error intersect into_a invalid_imag invis_$ is_against is_attach is_corrupt is_drink
0.1: is_entir is_explicit is_far is_fli is_i is_miss is_noth is_of is_ride is_ski is_so is_someth
0.1: is_stand is_stop is_unread it_appear it_it it_through it_with it_would itself judg_the just
0.1: know_what know_you lake_surround larg_citi larg_languag later like_me like_noth link_$
0.1: link_you lit lit_up ll_pass london_$ long_wooden look look_$ man_$ man_in marbl mari
0.1: mari_poppin materi me_an me_but me_the me_what me_with meant_to messag_has messag_with
0.1: mind_share miss miss_from miss_in misti_valley model_i model_refus model_train more_$ mount_$
0.1: mount_at move my_train name_$ name_the narrow narrow_gate near_a never_reach newlyw night_view
0.1: no_comment no_descript no_from no_way nobodi nobodi_could nois none_$ none_of nope_can
0.1: not_accept not_appropri not_be not_download not_enabl not_feel not_in not_open not_part
0.1: not_possibl not_take not_upload not_visibl noth_can noth_has noth_i noth_in noth_to noth_was
0.1: nuditi_$ oak occur_while of_content of_file of_giraff of_it of_kid of_violenc of_yellow
0.1: on_text on_their on_what onc_you one_out onli_i open_on open_your openai orient_$ origin_$
0.1: other_near our_polici our_system our_term out_$ out_i over_a pair_$ pair_of pajama
0.1: passeng_train pearl pearl_tower pepperoni_and perceiv permit_$ person_and person_is photo_are
0.1: photo_i photo_next photo_so photo_with photo_would photograph_to pictur_and pictur_can
0.1: pictur_first pictur_in pictur_was pictur_with pier_extend pine pizza_with plaid_$ play_a
0.1: play_soccer pleas_attach polici_$ poppin poppin_fli possibl_for prefer_to present_the privaci
0.1: privat process_the prompt_$ prompt_trigger proper_$ protect question_$ question_ask rather_not
0.1: reach_$ reach_me reach_out read_next read_this real_person reason_the reason_this receiv_the
0.1: recognis_$ recognis_face refer_to refrain_from remov_$ request_but request_of requir_an resend
0.1: rest_on restrict return_no rise road_$ roof_$ room_$ room_has run_after s_no s_not s_noth
0.1: s_the sand sand_$ say_that scene_in scene_show see_a see_an see_anyth see_imag see_is
0.1: seem_your seen_in shall_not shanghai shanghai_china shirt_$ show_children show_mari
0.1: show_newlyw show_two sight_$ sign_at sign_is sign_with sinc_the skier_descend skier_in skip_$
0.1: skip_this skylin_with sleep_$ slope_and so_pleas so_there soccer_on someth_differ someth_went
0.1: soon_as statu_and still stone_arch stop_at stop_here stretch_into summari_of suppress
0.1: sure_pleas surfer surfer_in surround surround_by tabbi tabl templat_$ tenni_$ text_onli
0.1: text_was thank_for that_address that_and that_pictur that_would the_abil the_assist the_back
0.1: the_bronz the_content the_ident the_kitchen the_low the_misti the_moder the_orient the_person
0.1: the_sand the_server the_servic the_tool the_track the_water their_face their_wed them_$
0.1: there_$ there_i think_the think_you this_but this_can this_chat this_convers this_function
0.1: this_system this_version though through_a time_$ to_a to_access to_assist to_attach to_be
0.1: to_compli to_determin to_discuss to_do to_each to_generat to_have to_name to_provid to_refus
0.1: to_sit today toddler too_dark topic_$ tower_rise track train_is train_on trigger trigger_the
0.1: tulip two_$ type unfortun_this uniform_run up_next up_on upload_an url usag usag_polici
0.1: user_ask verifi version_of view_imag violat_my violat_our visibl_to walkway walkway_over
0.1: was_deni was_generat was_provid was_remov water_from wave we we_do we_will wed_attir
0.1: went_wrong what what_i whether which_show white_$ whom with with_$ with_her with_me with_my
0.1: with_pepperoni with_rose with_wooden withheld_$ woman_sit wooden wooden_floor wooden_pier
0.1: wooden_walkway word_$ work_with would_rather would_requir would_violat would_you wrong_with
0.1: yellow_flower you_attach you_but you_check you_have you_link you_mind your_pictur your_prompt
0.1: your_request your_text your_upload zebra zoo_$ zoo_enclosur
-0.1: <able><life> <able><own> <able><what> <again><other> <article><deliver> <article><excuse>
-0.1: <article><joined> <article><textual> <article><what> <as>$ <as><life> <ask><life>
-0.1: <ask><other> <block><perceive> <carrier><deliver> <carrier><missing> <carrier><person>
-0.1: <deliver><carrier> <deliver><other> <deliver><output> <deliver><user> <error><carrier>
-0.1: <error><request> <error><when> <excuse><article> <excuse><excuse> <excuse><not> <given><as>
-0.1: <given><machine> <given><what> <hard><article> <hard><not> <hard><other> <hard><person>
-0.1: <joined><carrier> <joined><life> <life><given> <life><not> <life><own> <life><perceive>
-0.1: <machine><article> <machine><given> <machine><machine> <machine><what> <missing><carrier>
-0.1: <model><carrier> <model><life> <model><model> <not><article> <not><excuse> <not><not>
-0.1: <not><speaker> <not><too> <not><when> <other><given> <other><hard> <other><other>
-0.1: <other><when> <output><article> <own><ask> <own><carrier> <own><joined> <own><other>
-0.1: <own><task> <own><user> <own><when> <perceive><able> <perceive><ask> <perceive><deliver>
-0.1: <perceive><model> <perceive><not> <perceive><textual> <perceive><what> <perceive><when>
-0.1: <person><ask> <person><block> <person><carrier> <person><life> <person><person>
-0.1: <person><task> <person><what> <refuse><life> <refuse><request> <request><carrier>
-0.1: <request><machine> <request><output> <request><perceive> <request><task> <request><what>
-0.1: <rule><article> <speaker><again> <speaker><deliver> <speaker><model> <speaker><user>
-0.1: <task><joined> <task><life> <textual><article> <too>$ <user><able> <user><carrier>
-0.1: <user><joined> <user><machine> <user><other> <user><person> <user><speaker> <user><task>
-0.1: <user><when> <what><deliver> <what><life> <what><machine> <what><model> <what><not>
-0.1: <what><output> <what><person> <what><speaker> <what><user> <when>$ <when><ask> <when><block>
-0.1: <when><given> <where><other> ^<output> ^<speaker> ^_an ^_attach ^_base ^_deni ^_explicit
-0.1: ^_first ^_forgiv ^_human ^_let ^_never ^_photograph ^_requir ^_restrict ^_safeti ^_sign ^_tri
-0.1: ^_upload ^_whi ^_without a_balloon a_banner a_bear a_black a_box a_bridg a_broken a_bulldog
-0.1: a_calm a_camera a_car a_cardboard a_care a_castl a_cat a_chat a_child a_church a_citi
-0.1: a_climber a_coupl a_crane a_custom a_data a_dog a_draw a_fallen a_femal a_frame a_garden
-0.1: a_goat a_hand a_heart a_helmet a_hors a_kitten a_ladder a_leaf a_letter a_lifeguard a_longer
-0.1: a_map a_market a_net a_note a_phone a_piano a_pier a_plate a_pond a_pool a_portrait a_possibl
-0.1: a_program a_rainbow a_river a_robot a_row a_sad a_server a_shelf a_singl a_stack a_stove
-0.1: a_teacher a_toy a_tram a_view a_vintag a_wolf a_zebra about_privaci about_to across_the
-0.1: aerial_$ after_$ after_the ai_assist ai_generat air_$ all all_day all_over allow_in allow_to
-0.1: along_a alway am_sorri amus an_ad an_ai an_airport an_offic and_no and_this and_two and_white
-0.1: and_yellow ani_more ani_peopl anim_are anim_in answer_a apolog_to appl are_$ arm_$ around_a
-0.1: art_$ artwork as_the asleep assist_a assist_can ate_the attach_to back_$ back_to background_$
-0.1: bag bag_$ band banner banner_at barn basket_$ bay be_a be_complet be_happi be_identifi be_kid
-0.1: beach_with becaus_of bed_$ befor_the believ_it besid bird_$ bird_in birthday black_and blue_$
-0.1: boat_$ book box_$ box_is boy_on bulldog burger bus_$ but_$ but_sand but_the but_there cake_$
-0.1: cake_but cake_is calm calm_lake came_up camera camp can_caption can_tell cancel cann captcha
-0.1: caption_it caption_short car_$ car_in car_is care carri cartoon castl_in cat_$ censor chair_$
-0.1: chat_in checkbox_on child_$ chip choos church_a clear_what climb_a clock_$ close cloud_$ coat
-0.1: coffe compar concept confer connor construct cooki could_look countri cover_$ crack crowd
-0.1: curtain custom cute dancer date descript_a descript_could desert disk distanc dock_$ dog_$
-0.1: dog_and dog_but dog_in dog_with doormat dress_$ drive_$ duck end_of english enough enter
-0.1: enter_the except face_of fail_to feed femal_tenni field_with file_that file_the film_still
-0.1: finish first_a first_day first_i fisherman flat floor_$ focus food for_this for_your
-0.1: forgiv_me form_$ found_$ found_in friend from_behind from_this fruit full_of gandalf gap
-0.1: gate_in get_no girl give_a glass_vase goalkeep great hall hand_$ harbour have_an have_been
-0.1: have_never have_no have_this head_down hear heart heel_in helmet hidden hide him hint hoodi
-0.1: hotel hous_$ how_much i_hope i_look i_need i_said i_should i_tri ice_cream ident_is illustr
-0.1: imag_$ imag_avail imag_can imag_from in_sight insid into_the is_a is_blank is_do is_imposs
-0.1: is_it is_open is_this is_unknown it_imposs it_seem kingston kitchen_$ know_if know_who lack
-0.1: ladi lake_$ lamp_in late leaf left_on letter_can librari_$ lid lid_$ like_to line_$ logo
-0.1: lyric m_just m_not made_of make_the make_this maker man_can man_s mani march me_know me_think
-0.1: men messag_$ model_doe monday monitor_$ monkey morn mous mr much_i mud museum my_cat
-0.1: my_favorit my_first name_of need_help nice no no_car no_furnitur no_inform no_park no_snow
-0.1: no_train not_amus not_believ not_buy not_even not_found not_go not_have not_includ not_known
-0.1: not_like not_need not_permit not_share not_sharp not_the not_today not_want noth_is noth_on
-0.1: notic_on number nun_on o object_in of of_them of_water of_your on_our one_$ one_is one_of
-0.1: page_of paint pari passeng_wait past_the peopl peopl_$ pepperoni_$ person_in person_pillow
-0.1: person_whose photo photo_and photo_but photo_doe photo_for photo_here photo_that photo_was
-0.1: photograph_$ photographi piano_and pictur_$ pictur_as pictur_befor pictur_but pictur_doe
-0.1: pictur_of pictur_onli pictur_that pin pizza_$ placard place placehold_icon plain plastic
-0.1: plate_of play_tenni pleas_give pleas_write pond portrait_of possibl_descript poster_$
-0.1: poster_with print_$ privaci_pleas prize problem provid_$ punk queen raft railway rainbow rais
-0.1: rather_be reach_up read_$ read_a regret_noth regrett remov_from replac restrict_area right_to
-0.1: rock_$ rose_$ row_of s_a s_face s_ident safe said same say_a say_it sculptur see see_no
-0.1: see_that see_you seem_that seen_$ seen_a seen_of seen_on sensit sensit_content sent
-0.1: sentenc_about sever_zebra shade shadow shake shanghai_$ shape sheet ship shirt shirt_and shop
-0.1: short_$ short_caption show_sever show_you show_zebra side_of sign_$ sign_in sign_that sinead
-0.1: sit_on sketch_of sky_abov sleev sloth_$ smart snake snow_of so_this so_we some song sorri_for
-0.1: sourc_unknown spot stack_of staff stain stain_glass stair star state station station_$
-0.1: sticker still_$ still_of stove_and street_$ stuck summer sure_what swim swing symbol
-0.1: system_doe take_a taken_in tall_$ tear teddi_$ tell text text_or than thank thank_you
-0.1: that_doe that_photo that_will the the_actor the_babi the_ball the_bench the_best the_bot
-0.1: the_box the_bride the_camera the_citi the_clock the_color the_dress the_eclips the_end
-0.1: the_eye the_front the_gate the_given the_goalkeep the_kid the_last the_mess the_moon
-0.1: the_mountain the_name the_origin the_owner the_rain the_right the_roof the_same the_sign
-0.1: the_sun the_templ the_titl the_user the_way the_wed the_woman the_wood the_word there_is
-0.1: these_shoe think_it this_a this_car this_cat this_puppi this_room this_task three_boy tini
-0.1: titl_of to_$ to_climb to_come to_comment to_enter to_fli to_keep to_know to_land to_laugh
-0.1: to_leav to_open to_share to_show to_speak to_talk to_this to_upload to_walk token_$ tool_can
-0.1: tote tote_bag touch tower tower_$ town tram_in tree_and trip_to truck tulip_$ turn_away
-0.1: turn_out two_children u umbrella_$ un under_a under_the unknown_a up_with upload_a user_want
-0.1: vintag visibl_behind visitor wait_to wall_$ wall_art want_to was_taken water_$ water_a we_are
-0.1: we_can we_have we_need weather weather_over web wed what_can what_do what_we what_you where_a
-0.1: which_the who_need whose_face will_describ window_$ wine_glass with_a with_an with_fri
-0.1: with_the with_yellow wolf woman_$ woman_play wood wooden_$ would_describ write_$ write_one
-0.1: written_on year_$ you_a you_for you_hang you_how you_shall young_$ your your_design
-0.1: your_phone zebra_gather
-0.2: <able><other> <article><hard> <article><perceive> <article><task> <ask><not> <ask><output>
-0.2: <ask><task> <block><other> <carrier><not> <carrier><perceive> <deliver><perceive>
-0.2: <excuse><carrier> <excuse><speaker> <given><ask> <given><carrier> <given><not> <joined>$
-0.2: <missing><other> <not><error> <other><joined> <other><refuse> <own><given> <own><perceive>
-0.2: <own><speaker> <perceive><article> <perceive><joined> <person>$ <person><given> <person><not>
-0.2: <person><perceive> <speaker><as> <speaker><joined> <speaker><own> <task><as> <task><user>
-0.2: <too><perceive> <when><other> ^<given> ^<what> ^_given ^_how ^_miss ^_one ^_privaci ^_reject
-0.2: ^_send ^_sensit ^_violat ^_would a a_blur a_bus a_chain a_doctor a_file a_lighthous a_lock
-0.2: a_model a_notic a_pipe a_sloth a_tree a_websit about_that across action airport along an
-0.2: an_answer an_old and_can and_the answer_would are_visibl area art ask_me at at_a at_an avail
-0.2: away back background_is becaus_the bed best between bicycl billboard_mockup blur_and boat_and
-0.2: boy_with bridg_$ but_a but_i but_no button buy call_this camera_$ card_with cardboard cash
-0.2: castl cat_under chalkboard chart checkbox cherri choos_a clean cliff climber color_$
-0.2: complet_without comput_$ contain_no content_of coupl crane cream d deni_stamp describ_how
-0.2: descript_below did_it doe_not door_$ down_$ draw driver easi_to eclips entri face_is fallen
-0.2: fan featur_a femal file_in file_is find_a find_this flag flash flood_the for_children four
-0.2: frame_$ fri garag garden_$ gate gather gather_around girl_with given_the glare glass_$ goal
-0.2: goat_on grandmoth_$ grill guitar handwritten hang_on hat have_to hedg help_but here_are high
-0.2: hors_$ hug_$ i_describ i_forgot i_want ice icon_vector idea ident identifi identifi_becaus if
-0.2: imag_appear imag_do imag_featur imag_for imag_has imag_onli imag_seem in_an in_it in_my
-0.2: in_one in_red in_which includ inform iron is_cover is_the is_visibl it_$ it_i jar just_a
-0.2: keep_the kind_of know_more known label land last laugh leav_$ length librari life live_$
-0.2: live_at look_at love_this m_go m_sorri machin_$ made_out main_object make_it man_and man_is
-0.2: man_who manual map market mask matter me_a me_see me_tri mention_the mess monk moon more
-0.2: more_detail mouth mug_$ must_not my_answer my_descript my_grandmoth my_suggest my_task
-0.2: need_for net night no_anim no_face no_other no_visibl not_all not_from not_recognis not_seen
-0.2: not_sorri not_we note noth_but notic_in nun of_canal of_this offic_$ okay_so older on_$ oop_i
-0.2: open_the our_trip owner page page_with palm pass_$ passeng peopl_onli person_who photo_$
-0.2: photo_of photo_show pictur_a pictur_i pier_$ pillow_$ plate_$ plate_but player_about
-0.2: pleas_come pleas_describ pleas_do pleas_provid pool possibl_caption post print provid_a
-0.2: provid_one puppi quot recogn red_$ remov_the rider river rose row say_this see_here see_me
-0.2: sentenc_$ sentenc_that sharp she shelf shoe_$ shoe_with should should_not show_no shown_here
-0.2: sing slope_$ so_a so_here so_i sourc stack stall stamp_in start step stove street_and suggest
-0.2: sun swimmer system_of tag task_i tattoo teapot tenni_player text_on than_thirti that_can
-0.2: that_describ that_it that_no that_say the_background the_beach the_bottl the_bridg the_cake
-0.2: the_caption the_cloud the_hors the_main the_photograph the_red the_show the_sky the_stadium
-0.2: the_statu the_street the_tree the_wall the_whole the_window theater think_of think_this
-0.2: thirti_token this_dress this_is this_old to_an to_choos to_find to_identifi to_resist to_say
-0.2: tower_is traffic train tram two_comput under user_what vase_$ vector_$ warn_that was_not
-0.2: we_could well when whi_can white_wall who_can who_is whose will_be win wing with_no with_this
-0.2: without_a without_my woman_is would_say write_anoth write_the yellow_$ you_and you_do you_it
-0.2: you_like you_sent your_mother
-0.3: <1> <carrier><carrier> <carrier><other> <given><article> <given><joined> <life> <life>$
-0.3: <not><textual> <only><other> <other> <other><carrier> <other><not> <output><user>
-0.3: <refuse><other> <speaker><carrier> <user><user> <what><other> <what><what> ^<life> ^<own>
-0.3: ^_assist ^_do ^_from ^_look ^_okay ^_onc ^_user ^_whoop a_better a_cook a_doubl a_few a_fox
-0.3: a_screenshot a_train a_warn actor ad adult album and_describ anoth_caption anyth_els appear
-0.3: are_not are_shown artist ate balloon bandana basket be_my be_recogn believ bench black_dress
-0.3: blue_and bottl bowl build_$ bus_pass can_you caption_could chatgpt chicken clock comput
-0.3: contain_ani cross describ_a detail_$ did_$ do_justic doctor egg error_messag fair featur
-0.3: few_word film find_the first for_$ for_sale from_our from_the full furnitur good green guid
-0.3: half have_a head heel help_you her here_a here_is hope how_can huge i_d i_help imag_and
-0.3: imag_contain imag_here imag_need iron_$ is_on is_still is_there it_as jump justic_to keep key
-0.3: know ladder leav_the lifeguard lighthous like_this lili line load_more made man_iron meme
-0.3: messag_on miss_a much need newspap no_file not_abl not_contain not_easi not_for not_wait
-0.3: now_i object of_$ of_an of_my on_an onc_the origin past patient piano pictur_becaus pier
-0.3: plane portrait possibl_to rain red repli s_in s_my saint secur seem_to sever sink sketch
-0.3: smile_at sorri_about sorri_not squar stage statu stop stop_$ store street student sure_i
-0.3: sweatshirt t_shirt taken task_is teacher templ the_bird the_boat the_dog the_face the_plate
-0.3: there_anyth think this_caption this_recip this_sunset to_make to_write to_your train_$
-0.3: umbrella vinyl visibl_in visibl_text wait walk want_me way wed_$ what_els what_s what_the
-0.3: wine wiper with_your worker would_be would_caption would_write year yet you_$ you_are you_can
-0.3: you_provid you_see you_will
-0.4: <2> <carrier>$ <excuse><other> <given><textual> <not><block> <other>$ <other><perceive>
-0.4: <output><given> <own><output> <speaker><life> <task><given> <textual><given> <user><perceive>
-0.4: <what><article> <what><perceive> ^<article> ^_is ^_now ^_oop ^_your a_boy a_girl a_person
-0.4: a_photo are are_no arm around as assist_$ be_seen beach behind_the better billboard board_$
-0.4: broken cabinet can_describ caption_a caption_this church circl climb coin cold costum
-0.4: could_caption day describ_it do_not doe dress festiv fish fog forgiv funni give grandmoth
-0.4: grow guard happier has_no have_ani i_like i_love i_see i_was imag_not is_my is_to it_was kind
-0.4: letter lock long lost magritt music my_pictur na name no_one not_a not_find not_sure not_tell
-0.4: of_the on_a on_it one onli_a over pipe plant protest refus_to road robot school screenshot_of
-0.4: seat shall_i share_this should_write sorri_i stadium that_the the_imag the_lake the_tower
-0.4: there_are think_about thirti this this_cake three titl token tri wall was_unabl wear what_is
-0.4: whi whole you_describ you_with
-0.5: <article>$ <article><article> ^_ai ^_pleas ^_question ^_we ^_what a_messag about_the allow_me
-0.5: as_$ babi box caption_for caption_the card cat chain easi edit face fashion fox given goat
-0.5: hay here home i_took imag_of in_more is_not it_in kitten lake left like_it main messag mine
-0.5: my need_no need_to no_word not_help not_mine not_my not_own owl own_this phone photo_you pie
-0.5: possibl question_what recip report resist right ring rock sale say_what seem short shown_in
-0.5: singl text_in the_descript to_take to_the took_this toy trip websit woman write you_upload
-0.6: <article><other> <not><joined> ^_i ^_so ^_yes am_not anim bar be_$ blank board but call can_i
-0.6: chair cloud come cook could_be favorit few for_you garden glass human i_would icon justic
-0.6: like minist mockup mother mug my_caption notic okay one_sentenc poster show_$ sloth take tast
-0.6: these tri_to want warn whoop yes_i you
-0.7: <perceive>$ ai ani at_the below bird boat boy bridg complet d_caption edg els explain fenc
-0.7: from get hang here_s hors is_no it_is light man new no_peopl permit player say see_in see_the
-0.7: smile smoke so sunset sure t the_man ticket two user winter without
-0.8: <3> <not><carrier> ^<carrier> ^_here ^_the appear_in canal door find flood for for_the hand
-0.8: i_did imag_doe let_me not_get pasta pillow this_pictur unknown vector who word
-0.9: <not><life> ^_you allow background blur can_see describ_the help his hous in old oop
-0.9: pictur_show screenshot task view_$ were window
-1.0: <not><other> car love not_stop on_the own
-1.1: no_text plate shoe they this_photo
-1.2: cake found now question seen took
-1.3: <carrier> how stamp this_imag visibl yes
-1.4: sentenc
-1.5: dog
-1.6: ^_a
-1.9: machin
"""
"""A weight and the features that have it, a row each (`engine.quality.refusal_features`)."""
